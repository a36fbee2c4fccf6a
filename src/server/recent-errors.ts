export interface RecentError {
	/** RFC 3339. */
	readonly time: string;
	readonly rpc: string;
	readonly code: string;
	readonly message: string;
}

const KEPT = 20;

/** The last calls that failed, for Status: the first thing that one asks for when something is wrong. */
export class RecentErrors {
	readonly #errors: RecentError[] = [];

	add(error: Omit<RecentError, 'time'>): void {
		this.#errors.push({ time: new Date().toISOString(), ...error });
		if (this.#errors.length > KEPT) this.#errors.shift();
	}

	/** Oldest first. */
	list(): readonly RecentError[] {
		return [...this.#errors];
	}
}
