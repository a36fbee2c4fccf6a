import type { FrameConnection } from './connection.ts';

/**
 * What came over a connection of its own and was not read yet. While there is any, the connection is not read: whoever
 * sends waits at its write, and the memory that a read has filled is used for the next one only when the reader asks
 * for more.
 */
export class ReadQueue<T> implements AsyncIterable<T> {
	readonly #connection: Pick<FrameConnection, 'pause' | 'resume'>;
	readonly #items: T[] = [];
	#end: { readonly error?: Error } | undefined;
	#wake: (() => void) | undefined;
	#paused = false;

	constructor(connection: Pick<FrameConnection, 'pause' | 'resume'>) {
		this.#connection = connection;
	}

	get ended(): boolean {
		return this.#end !== undefined;
	}

	push(item: T): void {
		this.#items.push(item);
		this.#setPaused(true);
		this.#wake?.();
	}

	/** Nothing more comes; with an error the reader gets it after what came before. Only the first end counts. */
	end(error?: Error): void {
		if (this.#end !== undefined) return;
		this.#end = error === undefined ? {} : { error };
		this.#wake?.();
	}

	/** What is yielded is good until the next is asked for. */
	async *[Symbol.asyncIterator](): AsyncGenerator<T> {
		for (;;) {
			const next = this.#items.shift();
			if (next !== undefined) {
				yield next;
				continue;
			}
			// Also at the end: answers may still come.
			this.#setPaused(false);
			if (this.#end?.error !== undefined) throw this.#end.error;
			if (this.#end !== undefined) return;
			await new Promise<void>((resolve) => {
				this.#wake = resolve;
			});
		}
	}

	#setPaused(paused: boolean): void {
		if (this.#paused === paused) return;
		this.#paused = paused;
		if (paused) this.#connection.pause();
		else this.#connection.resume();
	}
}
