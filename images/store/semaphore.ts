/** At most `size` at once, first come first served. Who is aborted while waiting leaves at once. */
export class Semaphore {
	#free: number;
	readonly #waiting = new Set<() => void>();

	constructor(size: number) {
		this.#free = Math.max(size, 1);
	}

	async run<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
		await this.#enter(signal);
		try {
			return await work();
		} finally {
			this.#leave();
		}
	}

	async #enter(signal: AbortSignal): Promise<void> {
		signal.throwIfAborted();
		if (this.#free > 0) {
			this.#free--;
			return;
		}
		const turn = Promise.withResolvers<void>();
		const leave = () => {
			this.#waiting.delete(turn.resolve);
			turn.reject(signal.reason);
		};
		this.#waiting.add(turn.resolve);
		signal.addEventListener('abort', leave, { once: true });
		await turn.promise.finally(() => signal.removeEventListener('abort', leave));
	}

	#leave(): void {
		const [next] = this.#waiting;
		if (next === undefined) {
			this.#free++;
			return;
		}
		this.#waiting.delete(next);
		next();
	}
}
