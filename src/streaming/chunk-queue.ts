/** More than this unread, and `push` is not settled before some of it is read. */
const HIGH_WATER_BYTES = 256 * 1024;

/** Bytes between one that pushes and one that reads, bounded: a slow reader makes the other wait. */
export class ChunkQueue implements AsyncIterable<Buffer> {
	readonly #chunks: Buffer[] = [];
	#bytes = 0;
	#end: { readonly error?: Error } | undefined;
	#wake: (() => void) | undefined;
	#room: PromiseWithResolvers<void> | undefined;

	/** undefined: there is room for more. Else settles when there is, or when nobody reads any more. */
	push(chunk: Buffer): Promise<void> | undefined {
		if (this.#end !== undefined || chunk.length === 0) return undefined;
		this.#chunks.push(chunk);
		this.#bytes += chunk.length;
		this.#wake?.();
		if (this.#bytes <= HIGH_WATER_BYTES) return undefined;
		this.#room ??= Promise.withResolvers<void>();
		return this.#room.promise;
	}

	/** What was pushed is still read, then it ends. */
	end(): void {
		this.#end ??= {};
		this.#wake?.();
	}

	/** What is unread is dropped; whoever reads gets the error. */
	fail(error: Error): void {
		this.#end = { error };
		this.#chunks.length = 0;
		this.#makeRoom(0);
		this.#wake?.();
	}

	async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
		try {
			for (;;) {
				const chunk = this.#chunks.shift();
				if (chunk !== undefined) {
					this.#makeRoom(this.#bytes - chunk.length);
					yield chunk;
				} else if (this.#end !== undefined) {
					if (this.#end.error !== undefined) throw this.#end.error;
					return;
				} else {
					await new Promise<void>((resolve) => {
						this.#wake = resolve;
					});
				}
			}
		} finally {
			// A reader that leaves must not hold up what comes for others.
			this.fail(new Error('Nobody reads it any more'));
		}
	}

	#makeRoom(bytes: number): void {
		this.#bytes = bytes;
		if (bytes > HIGH_WATER_BYTES) return;
		this.#room?.resolve();
		this.#room = undefined;
	}
}
