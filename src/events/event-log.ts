/**
 * The newest entries, kept once for all readers, so that neither many readers nor slow ones take memory. A reader that
 * falls behind by more than the limit has missed some, and reads no further. Nothing is kept while nobody reads.
 */
export class EventLog<T> {
	readonly #limit: number;
	/** A ring: entry number n is at n modulo the limit. */
	#entries: T[] = [];
	/** Number of the entry that comes next. */
	#next = 0;
	#readers = 0;
	readonly #waiting = new Set<() => void>();

	constructor(limit: number) {
		this.#limit = limit;
	}

	/** How many read at the moment. */
	get readers(): number {
		return this.#readers;
	}

	push(entry: T): void {
		if (this.#readers === 0) return;
		this.#entries[this.#next % this.#limit] = entry;
		this.#next += 1;
		this.#wake();
	}

	/**
	 * Every entry from this call on, in order, until `signal` aborts; what is there by then still comes. Fails with the
	 * error that `behind` makes when the reader has fallen behind by so many entries that the oldest are gone.
	 */
	read(signal: AbortSignal, behind: (count: number) => Error): AsyncIterable<T> {
		this.#readers += 1;
		return this.#follow(this.#next, signal, behind);
	}

	async *#follow(
		begin: number,
		signal: AbortSignal,
		behind: (count: number) => Error,
	): AsyncGenerator<T, void, undefined> {
		signal.addEventListener('abort', () => this.#wake(), { once: true });
		try {
			for (let at = begin; ; at++) {
				while (at === this.#next) {
					if (signal.aborted) return;
					await new Promise<void>((resolve) => this.#waiting.add(resolve));
				}
				const waiting = this.#next - at;
				if (waiting > this.#limit) throw behind(waiting);
				yield this.#entries[at % this.#limit] as T;
			}
		} finally {
			this.#readers -= 1;
			if (this.#readers === 0) this.#entries = [];
		}
	}

	#wake(): void {
		for (const wake of this.#waiting) wake();
		this.#waiting.clear();
	}
}
