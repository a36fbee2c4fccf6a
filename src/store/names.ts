import { alreadyExists, deadlineExceeded } from '#base/errors.ts';
import { newId } from '#base/ids.ts';

/** Who makes the object of a name at this moment, for the errors of those who wait. */
export interface Holder {
	readonly id: string;
	/** What it is doing now; whoever works keeps it up to date. */
	stage: string;
}

/** What is being made, for people. */
export interface Making extends Readonly<Holder> {
	readonly name: string;
	readonly seconds: number;
}

interface Entry {
	readonly holder: Holder;
	readonly sinceMs: number;
	/** See Claim. */
	readonly by: string | undefined;
	/** Set while the object is being made. */
	making: Promise<void> | undefined;
	/** Whether somebody who asked has been told the id. `unknown`: an earlier daemon made the object. */
	delivered: 'yes' | 'no' | 'unknown';
}

export interface Claim {
	/** The caller's; the making goes on when it aborts, so that a retry finds it. */
	readonly signal: AbortSignal;
	/** Makes the object under the holder's id. One that fails frees the name. */
	readonly make: (holder: Holder) => Promise<void>;
	/** What makes it, when there are several ways that do not join each other. */
	readonly by?: string;
	/** Whether this call can be the retry of the one for which an earlier daemon made the object. Default: never. */
	readonly isRetryFor?: (id: string) => boolean;
}

/**
 * The names in use, by CRI metadata. A call for a name that is being made joins the one that makes it; a call for
 * a name whose maker finished after everybody had gone away, or that an earlier daemon made and did not live to
 * tell of, gets that result; every other one is ALREADY_EXISTS.
 */
export class Names {
	readonly #entries = new Map<string, Entry>();
	readonly #kind: string;

	constructor(kind: string) {
		this.#kind = kind;
	}

	/**
	 * Makes the object called `name`, or joins.
	 *
	 * @returns the id of the object.
	 * @throws ALREADY_EXISTS, and DEADLINE_EXCEEDED naming the stage and the holder when the signal aborts.
	 */
	async claim(name: string, { signal, make, by = '', isRetryFor = () => false }: Claim): Promise<string> {
		let entry = this.#entries.get(name);
		if (entry === undefined) {
			entry = this.#begin(name, by, make);
		} else if (isTaken(entry, by, isRetryFor)) {
			throw alreadyExists(
				`${this.#kind} ${name} exists already, with id ${entry.holder.id}; remove it or raise metadata.attempt`,
			);
		}
		await this.#wait(name, entry, signal);
		entry.delivered = 'yes';
		return entry.holder.id;
	}

	/** Takes a name for an object that exists (recovery). False when another one has it. */
	hold(name: string, id: string): boolean {
		if (this.#entries.has(name)) return this.#entries.get(name)?.holder.id === id;
		this.#entries.set(name, {
			holder: { id, stage: 'made' },
			sinceMs: performance.now(),
			by: undefined,
			making: undefined,
			delivered: 'unknown',
		});
		return true;
	}

	/** Frees the name if this object has it. */
	release(name: string, id: string): void {
		if (this.#entries.get(name)?.holder.id === id) this.#entries.delete(name);
	}

	/** The id that has this name, also while it is being made. */
	idOf(name: string): string | undefined {
		return this.#entries.get(name)?.holder.id;
	}

	/** What is being made at this moment, the oldest first, and how far it is. */
	making(): readonly Making[] {
		return [...this.#entries]
			.filter(([, entry]) => entry.making !== undefined)
			.map(([name, { holder, sinceMs }]) => ({ ...holder, name, seconds: secondsSince(sinceMs) }));
	}

	#begin(name: string, by: string, make: (holder: Holder) => Promise<void>): Entry {
		const holder: Holder = { id: newId(), stage: 'begin' };
		const entry: Entry = { holder, sinceMs: performance.now(), by, making: undefined, delivered: 'no' };
		this.#entries.set(name, entry);
		entry.making = make(holder).then(
			() => {
				entry.making = undefined;
			},
			(error: unknown) => {
				this.release(name, holder.id);
				throw error;
			},
		);
		// Whoever waits gets the error; with nobody waiting it must not end the process.
		entry.making.catch(() => {});
		return entry;
	}

	async #wait(name: string, entry: Entry, signal: AbortSignal): Promise<void> {
		if (entry.making === undefined) return;
		const { promise: gaveUp, reject } = Promise.withResolvers<never>();
		const giveUp = (): void => reject(this.#stillRunning(name, entry));
		signal.addEventListener('abort', giveUp, { once: true });
		if (signal.aborted) giveUp();
		try {
			await Promise.race([entry.making, gaveUp]);
		} finally {
			signal.removeEventListener('abort', giveUp);
		}
	}

	#stillRunning(name: string, entry: Entry): Error {
		const seconds = secondsSince(entry.sinceMs).toFixed(1);
		return deadlineExceeded(
			`Cannot wait any longer for ${this.#kind} ${name}: ${entry.holder.id} has been making it for ${seconds} s ` +
				`and is at stage ${entry.holder.stage}; a retry with the same metadata gets its result`,
		);
	}
}

const secondsSince = (ms: number): number => (performance.now() - ms) / 1000;

function isTaken(entry: Entry, by: string, isRetryFor: (id: string) => boolean): boolean {
	const { making, delivered, holder } = entry;
	if (entry.by !== undefined && entry.by !== by) return true;
	if (making !== undefined) return false;
	return delivered === 'yes' || (delivered === 'unknown' && !isRetryFor(holder.id));
}
