import { Room } from './room.ts';

/** More than this unread, and `push` is not settled before some of it is read. */
const STREAM_BYTES = 256 * 1024;
/** The same for all streams of a connection together. */
const CONNECTION_BYTES = 4 * 1024 * 1024;
/** Pieces below this are gathered, in blocks that grow from the first size to the second. */
const FIRST_BLOCK_BYTES = 256;
const BLOCK_BYTES = 16 * 1024;

/** What the streams of one connection share. */
export const connectionRoom = (): Room => new Room(CONNECTION_BYTES);

/** Memory that is kept, and how much of it is filled. */
interface Block {
	readonly memory: Buffer;
	filled: number;
}

/** Bytes between one that pushes and one that reads, bounded: a slow reader makes the other wait. */
export class ChunkQueue implements AsyncIterable<Buffer> {
	readonly #blocks: Block[] = [];
	readonly #room = new Room(STREAM_BYTES);
	readonly #connection: Room;
	/** Memory that is kept, with what the reader has in hand. */
	#keptBytes = 0;
	#end: { readonly error?: Error } | undefined;
	#wake: (() => void) | undefined;

	constructor(connection: Room) {
		this.#connection = connection;
	}

	/** undefined: there is room for more. Else settles when there is, or when nobody reads any more. */
	push(chunk: Buffer): Promise<void> | undefined {
		if (this.#end !== undefined || chunk.length === 0) return undefined;
		this.#keep(chunk);
		this.#wake?.();
		const full = [this.#room.whenFree(), this.#connection.whenFree()].filter((wait) => wait !== undefined);
		return full.length === 0 ? undefined : Promise.all(full).then(() => {});
	}

	/** What was pushed is still read, then it ends. */
	end(): void {
		this.#end ??= {};
		this.#wake?.();
	}

	/** What is unread is dropped; whoever reads gets the error. */
	fail(error: Error): void {
		this.#end = { error };
		this.#blocks.length = 0;
		this.#give(this.#keptBytes);
		this.#wake?.();
	}

	async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
		try {
			for (;;) {
				const block = this.#blocks.shift();
				if (block !== undefined) {
					yield block.memory.subarray(0, block.filled);
					// Not before the reader is done with it; `fail` has given it back already.
					if (this.#end?.error === undefined) this.#give(block.memory.length);
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

	#keep(chunk: Buffer): void {
		if (isWorthKeeping(chunk)) {
			this.#add({ memory: chunk, filled: chunk.length });
			return;
		}
		let last = this.#blocks.at(-1);
		if (last === undefined || last.memory.length - last.filled < chunk.length) {
			const bytes = Math.min(BLOCK_BYTES, (last?.memory.length ?? FIRST_BLOCK_BYTES / 2) * 2);
			last = { memory: Buffer.allocUnsafeSlow(Math.max(bytes, chunk.length)), filled: 0 };
			this.#add(last);
		}
		chunk.copy(last.memory, last.filled);
		last.filled += chunk.length;
	}

	#add(block: Block): void {
		this.#blocks.push(block);
		this.#keptBytes += block.memory.length;
		this.#room.take(block.memory.length);
		this.#connection.take(block.memory.length);
	}

	#give(bytes: number): void {
		this.#keptBytes -= bytes;
		this.#room.give(bytes);
		this.#connection.give(bytes);
	}
}

/** A piece holds the whole memory it was cut from: a read of a socket, the pool of Buffer. */
const isWorthKeeping = (chunk: Buffer): boolean =>
	chunk.length >= BLOCK_BYTES && chunk.length * 2 >= chunk.buffer.byteLength;
