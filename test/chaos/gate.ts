/** Lets calls through while the daemon runs, and knows when none is under way. */
export class Gate {
	#underWay = 0;
	#open = Promise.withResolvers<void>();
	#quiet: PromiseWithResolvers<void> | undefined;

	constructor() {
		this.#open.resolve();
	}

	open(): void {
		this.#open.resolve();
	}

	/** From now on calls wait. Settles when none is under way any more. */
	async close(): Promise<void> {
		this.#open = Promise.withResolvers();
		this.#quiet = Promise.withResolvers();
		if (this.#underWay === 0) return;
		await this.#quiet.promise;
	}

	/** Makes a call when the gate is open. */
	async pass<T>(call: () => Promise<T>): Promise<T> {
		await this.#open.promise;
		this.#underWay++;
		try {
			return await call();
		} finally {
			if (--this.#underWay === 0) this.#quiet?.resolve();
		}
	}
}
