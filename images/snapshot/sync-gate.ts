/** Shares runs of a slow action: who asks while one runs waits for the next one, together with all others. */
export class SyncGate {
	readonly #action: () => Promise<void>;
	#running: Promise<void> | undefined;
	#next: Promise<void> | undefined;

	constructor(action: () => Promise<void>) {
		this.#action = action;
	}

	/** Returns when a run that began after this call has ended. */
	run(): Promise<void> {
		if (this.#running === undefined) return this.#begin();
		this.#next ??= this.#running.then(
			() => this.#begin(),
			() => this.#begin(),
		);
		return this.#next;
	}

	#begin(): Promise<void> {
		this.#next = undefined;
		const run = this.#action().finally(() => {
			if (this.#running === run) this.#running = undefined;
		});
		this.#running = run;
		return run;
	}
}
