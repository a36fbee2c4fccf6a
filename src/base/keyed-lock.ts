/**
 * One mutual exclusion per key, in order of arrival. Order across keys, everywhere: name, sandbox, container.
 * No lock may be held across a long wait (grace period, exec, pull, hook).
 */
export class KeyedLock {
	readonly #tails = new Map<string, Promise<void>>();

	/** Waits for the key and returns the handle that releases it: `using held = await lock.acquire(id)`. */
	async acquire(key: string): Promise<Disposable> {
		const before = this.#tails.get(key);
		const { promise: released, resolve: release } = Promise.withResolvers<void>();
		const tail = before === undefined ? released : before.then(() => released);
		this.#tails.set(key, tail);
		await before;
		return {
			[Symbol.dispose]: () => {
				if (this.#tails.get(key) === tail) this.#tails.delete(key);
				release();
			},
		};
	}

	/** Runs `work` while the key is held. */
	async run<T>(key: string, work: () => Promise<T> | T): Promise<T> {
		using _held = await this.acquire(key);
		return await work();
	}

	/** How many keys are held or waited for. */
	get size(): number {
		return this.#tails.size;
	}
}
