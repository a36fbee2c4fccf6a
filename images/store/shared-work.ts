interface Running<T> {
	readonly result: Promise<T>;
	readonly abort: AbortController;
	waiters: number;
}

/** What a caller gets: the result, and whether the work was started for it or found under way. */
export interface Joined<T> {
	readonly result: Promise<T>;
	readonly started: boolean;
}

/** Work that equal requests share. It is aborted only when the last of those who wait for it has left. */
export class SharedWork<T> {
	readonly #running = new Map<string, Running<T>>();

	join(key: string, signal: AbortSignal | undefined, start: (signal: AbortSignal) => Promise<T>): Joined<T> {
		const found = this.#running.get(key);
		const running = found ?? this.#start(key, start);
		running.waiters++;
		return { result: this.#wait(key, running, signal), started: found === undefined };
	}

	/** Settles, never fails, when the work of this key has ended; undefined when there is none. */
	underWay(key: string): Promise<void> | undefined {
		return this.#running.get(key)?.result.then(
			() => {},
			() => {},
		);
	}

	/** Aborts everything and waits for it. */
	async close(reason: Error): Promise<void> {
		const all = [...this.#running.values()];
		for (const running of all) running.abort.abort(reason);
		await Promise.allSettled(all.map((running) => running.result));
	}

	#start(key: string, start: (signal: AbortSignal) => Promise<T>): Running<T> {
		const abort = new AbortController();
		const result = start(abort.signal);
		const running: Running<T> = { result, abort, waiters: 0 };
		this.#running.set(key, running);
		const forget = () => this.#forget(key, running);
		result.then(forget, forget);
		return running;
	}

	async #wait(key: string, running: Running<T>, signal: AbortSignal | undefined): Promise<T> {
		const left = Promise.withResolvers<never>();
		const leave = () => left.reject(signal?.reason);
		if (signal?.aborted) leave();
		signal?.addEventListener('abort', leave, { once: true });
		try {
			return await Promise.race([running.result, left.promise]);
		} finally {
			signal?.removeEventListener('abort', leave);
			running.waiters--;
			if (running.waiters === 0 && signal?.aborted) {
				// Whoever comes next starts anew and does not join work that is ending.
				this.#forget(key, running);
				running.abort.abort(signal.reason);
				await running.result.catch(() => {});
			}
		}
	}

	#forget(key: string, running: Running<T>): void {
		if (this.#running.get(key) === running) this.#running.delete(key);
	}
}
