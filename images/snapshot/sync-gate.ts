/**
 * Shares runs of syncfs(2): who asks while one runs waits for the next one, together with all others.
 *
 * The kernel tells once only that it could not write something, to whoever syncs next. So a run that fails is a
 * failure of everybody who had something under way: they note `failures` before, and give it to `run` afterwards.
 */
export class SyncGate {
	readonly #action: () => Promise<void>;
	#running: Promise<void> | undefined;
	#next: Promise<void> | undefined;
	#failures = 0;
	#lastFailure: unknown;

	constructor(action: () => Promise<void>) {
		this.#action = action;
	}

	/** How many runs have failed. */
	get failures(): number {
		return this.#failures;
	}

	/** Returns when a run that began after this call has ended. Fails also when one has failed since `noted`. */
	async run(noted = this.#failures): Promise<void> {
		await this.#shared();
		if (this.#failures > noted) throw this.#lastFailure;
	}

	#shared(): Promise<void> {
		if (this.#running === undefined) return this.#begin();
		this.#next ??= this.#running.then(
			() => this.#begin(),
			() => this.#begin(),
		);
		return this.#next;
	}

	#begin(): Promise<void> {
		this.#next = undefined;
		const run = this.#noting().finally(() => {
			if (this.#running === run) this.#running = undefined;
		});
		this.#running = run;
		return run;
	}

	async #noting(): Promise<void> {
		try {
			await this.#action();
		} catch (error) {
			this.#failures++;
			this.#lastFailure = error;
			throw error;
		}
	}
}
