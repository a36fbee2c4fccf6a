export interface RecentError {
	/** RFC 3339. */
	readonly time: string;
	readonly rpc: string;
	readonly code: string;
	readonly message: string;
	/** What the request named, as it named it: ids may be abbreviated. */
	readonly sandbox?: string;
	readonly container?: string;
	readonly image?: string;
}

const KEPT = 20;

/** The last calls that failed, for Status: the first thing that one asks for when something is wrong. */
export class RecentErrors {
	readonly #errors: RecentError[] = [];

	add(error: Omit<RecentError, 'time'>): void {
		this.#errors.push({ time: new Date().toISOString(), ...error });
		if (this.#errors.length > KEPT) this.#errors.shift();
	}

	/** Those of one sandbox or container, oldest first. */
	of(id: string): readonly RecentError[] {
		const isIt = (named: string | undefined): boolean => named !== undefined && id.startsWith(named);
		return this.#errors.filter(({ sandbox, container }) => isIt(sandbox) || isIt(container));
	}

	/** Oldest first. */
	list(): readonly RecentError[] {
		return [...this.#errors];
	}
}
