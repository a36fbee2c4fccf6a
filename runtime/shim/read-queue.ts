import type { FrameConnection } from './connection.ts';

/** More unread bytes than this, and the socket is not read any more: whoever sends waits at its write. */
const HIGH_WATER_BYTES = 256 * 1024;
const LOW_WATER_BYTES = 64 * 1024;

/** What came over a connection of its own and was not read yet. While that is much, the connection is not read. */
export class ReadQueue<T> implements AsyncIterable<T> {
	readonly #connection: Pick<FrameConnection, 'pause' | 'resume'>;
	readonly #items: { readonly item: T; readonly bytes: number }[] = [];
	#bytes = 0;
	#end: { readonly error?: Error } | undefined;
	#wake: (() => void) | undefined;
	#paused = false;

	constructor(connection: Pick<FrameConnection, 'pause' | 'resume'>) {
		this.#connection = connection;
	}

	get ended(): boolean {
		return this.#end !== undefined;
	}

	push(item: T, bytes: number): void {
		this.#items.push({ item, bytes });
		this.#bytes += bytes;
		if (this.#bytes > HIGH_WATER_BYTES && !this.#paused) this.#setPaused(true);
		this.#wake?.();
	}

	/** Nothing more comes; with an error the reader gets it after what came before. Only the first end counts. */
	end(error?: Error): void {
		if (this.#end !== undefined) return;
		this.#end = error === undefined ? {} : { error };
		this.#wake?.();
	}

	async *[Symbol.asyncIterator](): AsyncGenerator<T> {
		for (;;) {
			const next = this.#items.shift();
			if (next !== undefined) {
				this.#bytes -= next.bytes;
				if (this.#paused && this.#bytes < LOW_WATER_BYTES) this.#setPaused(false);
				yield next.item;
			} else if (this.#end !== undefined) {
				if (this.#end.error !== undefined) throw this.#end.error;
				return;
			} else {
				await new Promise<void>((resolve) => {
					this.#wake = resolve;
				});
			}
		}
	}

	#setPaused(paused: boolean): void {
		this.#paused = paused;
		if (paused) this.#connection.pause();
		else this.#connection.resume();
	}
}
