/**
 * A reader's queue: pushed to without waiting, read as an async iterable. When the reader is slow and the queue is
 * full, the oldest entries are dropped and counted.
 */
export class EventQueue<T> implements AsyncIterable<T> {
	readonly #limit: number;
	readonly #onDrop: (total: number) => void;
	#entries: T[] = [];
	#dropped = 0;
	#ended = false;
	#wake: () => void = () => {};

	constructor(limit: number, onDrop: (total: number) => void) {
		this.#limit = limit;
		this.#onDrop = onDrop;
	}

	push(entry: T): void {
		if (this.#ended) return;
		this.#entries.push(entry);
		if (this.#entries.length > this.#limit) {
			this.#entries.shift();
			this.#dropped += 1;
			this.#onDrop(this.#dropped);
		}
		this.#wake();
	}

	/** The reader gets what is queued, then the end. */
	end(): void {
		this.#ended = true;
		this.#wake();
	}

	async *[Symbol.asyncIterator](): AsyncGenerator<T> {
		for (;;) {
			const entry = this.#entries.shift();
			if (entry !== undefined) yield entry;
			else if (this.#ended) return;
			else await this.#pushed();
		}
	}

	#pushed(): Promise<void> {
		return new Promise((resolve) => {
			this.#wake = resolve;
		});
	}
}
