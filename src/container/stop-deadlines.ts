/** When the containers that are being stopped are to be killed. A second stop may only shorten the time. */
export class StopDeadlines {
	readonly #stops = new Map<string, Stop>();

	/**
	 * Waits until the deadline (in milliseconds of `performance.now()`) passes or `ended` settles, whichever is
	 * first. A call that finds a stop under way can only bring that one's deadline forward, and waits with it.
	 */
	async wait(id: string, deadlineMs: number, ended: Promise<void>): Promise<void> {
		const running = this.#stops.get(id);
		if (running !== undefined) {
			running.shorten(deadlineMs);
			return running.over;
		}
		const stop = new Stop(deadlineMs);
		this.#stops.set(id, stop);
		try {
			await Promise.race([stop.over, ended]);
		} finally {
			stop.end();
			this.#stops.delete(id);
		}
	}

	/** Ends the wait of a stop that is under way. */
	expire(id: string): void {
		this.#stops.get(id)?.end();
	}

	/** Whether a stop of this container is under way. */
	has(id: string): boolean {
		return this.#stops.has(id);
	}
}

/** One deadline, in milliseconds of `performance.now()`. */
class Stop {
	readonly over: Promise<void>;
	readonly #resolve: () => void;
	#deadlineMs: number;
	#timer: NodeJS.Timeout;

	constructor(deadlineMs: number) {
		const { promise, resolve } = Promise.withResolvers<void>();
		this.over = promise;
		this.#resolve = resolve;
		this.#deadlineMs = deadlineMs;
		this.#timer = this.#arm();
	}

	shorten(deadlineMs: number): void {
		if (deadlineMs >= this.#deadlineMs) return;
		this.#deadlineMs = deadlineMs;
		clearTimeout(this.#timer);
		this.#timer = this.#arm();
	}

	end(): void {
		clearTimeout(this.#timer);
		this.#resolve();
	}

	#arm(): NodeJS.Timeout {
		// setTimeout counts to 2^31-1 ms only; a longer one would fire at once.
		const leftMs = Math.min(Math.max(0, this.#deadlineMs - performance.now()), 2 ** 31 - 1);
		return setTimeout(() => {
			if (performance.now() >= this.#deadlineMs) this.end();
			else this.#timer = this.#arm();
		}, leftMs);
	}
}
