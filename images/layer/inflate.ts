import { createGunzip, createZstdDecompress } from 'node:zlib';

type Decoder = ReturnType<typeof createGunzip> | ReturnType<typeof createZstdDecompress>;

/** Large, for each step is a way to a thread and back, on which the one or the other waits. */
const INPUT_CHUNK = 256 * 1024;
const OUTPUT_CHUNK = 512 * 1024;
const OPTIONS = { chunkSize: OUTPUT_CHUNK, highWaterMark: OUTPUT_CHUNK };
const GZIP = Buffer.from([0x1f, 0x8b]);
const ZSTD = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);
/** A zstd stream may begin with a skippable frame (RFC 8878, 3.1.2): 0x184D2A50 to 0x184D2A5F. */
const ZSTD_SKIPPABLE = Buffer.from([0x2a, 0x4d, 0x18]);

/** The uncompressed bytes of a layer. How it is compressed is told by its first bytes; media types often lie. */
export async function* inflate(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, void> {
	const iterator = chunks[Symbol.asyncIterator]();
	const head = await firstBytes(iterator, 4);
	const decoder = decoderFor(head.subarray(0, 4));
	if (decoder === undefined) yield* resumed(head, iterator);
	else yield* decoded(decoder, resumed(head, iterator));
}

/** Whether an error says that compressed bytes are damaged. */
export function isInflateError(error: unknown): boolean {
	const code = error instanceof Error && 'code' in error ? String(error.code) : '';
	return code.startsWith('Z_') || code.startsWith('ZSTD_');
}

function decoderFor(head: Buffer): Decoder | undefined {
	if (head.subarray(0, 2).equals(GZIP)) return createGunzip(OPTIONS);
	const skippable = head.subarray(1).equals(ZSTD_SKIPPABLE) && ((head[0] ?? 0) & 0xf0) === 0x50;
	if (head.equals(ZSTD) || skippable) return createZstdDecompress(OPTIONS);
	return undefined;
}

/** At least `count` bytes, unless there are fewer. */
async function firstBytes(iterator: AsyncIterator<Buffer>, count: number): Promise<Buffer> {
	let head = Buffer.alloc(0);
	while (head.length < count) {
		const { value, done } = await iterator.next();
		if (done) break;
		head = Buffer.concat([head, value]);
	}
	return head;
}

async function* resumed(head: Buffer, iterator: AsyncIterator<Buffer>): AsyncGenerator<Buffer, void, void> {
	yield head;
	for (let next = await iterator.next(); !next.done; next = await iterator.next()) yield next.value;
}

async function* decoded(decoder: Decoder, chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, void> {
	const feeding = feed(decoder, chunks);
	feeding.catch((error) => decoder.destroy(error));
	try {
		yield* decoder as AsyncIterable<Buffer>;
		await feeding;
	} finally {
		decoder.destroy();
	}
}

async function feed(decoder: Decoder, chunks: AsyncIterable<Buffer>): Promise<void> {
	for await (const chunk of gathered(chunks)) {
		if (decoder.destroyed) return;
		if (!decoder.write(chunk)) await drained(decoder);
	}
	decoder.end();
}

/** The same bytes in fewer pieces. */
async function* gathered(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, void> {
	let held: Buffer[] = [];
	let bytes = 0;
	for await (const chunk of chunks) {
		held.push(chunk);
		bytes += chunk.length;
		if (bytes < INPUT_CHUNK) continue;
		yield Buffer.concat(held, bytes);
		held = [];
		bytes = 0;
	}
	if (bytes > 0) yield Buffer.concat(held, bytes);
}

function drained(decoder: Decoder): Promise<void> {
	const { promise, resolve } = Promise.withResolvers<void>();
	const done = () => {
		decoder.off('drain', done);
		decoder.off('close', done);
		resolve();
	};
	decoder.on('drain', done);
	decoder.on('close', done);
	return promise;
}
