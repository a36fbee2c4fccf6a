/** Header blocks (SPDY/3, section 2.6.10): names and values, as one zlib stream per direction of a connection. */
import { constants, createInflate, type Inflate } from 'node:zlib';
import { DICTIONARY } from './dictionary.ts';
import { SpdyError } from './frames.ts';

export type SpdyHeaders = ReadonlyMap<string, string>;

/** Longest block once it is inflated; Kubernetes' have some 100 bytes. Streams keep theirs while they are open. */
const MAX_BLOCK_BYTES = 8 * 1024;
const INFLATE_CHUNK_BYTES = 4096;

/** Reads the header blocks of one connection, one after the other, in their order. */
export class HeaderReader implements Disposable {
	readonly #inflate: Inflate = createInflate({
		dictionary: DICTIONARY,
		flush: constants.Z_SYNC_FLUSH,
		chunkSize: INFLATE_CHUNK_BYTES,
	});
	#block: Buffer[] = [];
	#size = 0;
	#fail: (error: Error) => void = () => {};

	constructor() {
		this.#inflate.on('data', (chunk: Buffer) => {
			this.#size += chunk.length;
			this.#block.push(chunk);
			if (this.#size <= MAX_BLOCK_BYTES) return;
			this.#fail(new SpdyError(`a header block of more than ${MAX_BLOCK_BYTES} bytes`));
			this.#inflate.destroy();
		});
		this.#inflate.on('error', (error) => this.#fail(asSpdyError(error)));
		this.#inflate.on('end', () => this.#fail(new SpdyError('a header block ends the stream of all')));
	}

	/** @throws SpdyError when it cannot be inflated, is too long, or is not what it says; then nothing more can be read. */
	async read(block: Buffer): Promise<SpdyHeaders> {
		this.#block = [];
		this.#size = 0;
		await new Promise<void>((resolve, reject) => {
			this.#fail = reject;
			this.#inflate.write(block, (error) => (error ? reject(asSpdyError(error)) : resolve()));
		});
		return parseHeaders(Buffer.concat(this.#block));
	}

	[Symbol.dispose](): void {
		this.#inflate.destroy();
	}
}

const asSpdyError = (error: Error): SpdyError =>
	error instanceof SpdyError ? error : new SpdyError(`a header block: ${error.message}`);

/** Names in lower case; the first value where there are several. Later ones of the same name are an error. */
export function parseHeaders(block: Buffer): SpdyHeaders {
	let at = 0;
	const number = (): number => {
		if (block.length - at < 4) throw new SpdyError('a header block is cut off');
		at += 4;
		return block.readUInt32BE(at - 4);
	};
	const word = (): string => {
		const length = number();
		if (block.length - at < length) throw new SpdyError('a header block is cut off');
		at += length;
		return block.toString('utf8', at - length, at);
	};
	const headers = new Map<string, string>();
	for (let left = number(); left > 0; left--) {
		const name = word().toLowerCase();
		const [value = ''] = word().split('\0', 1);
		if (name === '' || headers.has(name)) throw new SpdyError(`a header block names "${name}" twice or not`);
		headers.set(name, value);
	}
	if (at !== block.length) throw new SpdyError(`a header block has ${block.length - at} bytes too many`);
	return headers;
}

/** Writes the header blocks of one connection: as they are, in stored blocks (RFC 1951, 3.2.4), for they are tiny. */
export class HeaderWriter {
	#isFirst = true;

	write(headers: Readonly<Record<string, string>>): Buffer {
		const body = plainBlock(headers);
		const zlibHead = this.#isFirst ? Buffer.from([0x78, 0x01]) : Buffer.alloc(0);
		this.#isFirst = false;
		// The empty one after it is what zlib writes at a flush; some readers give nothing out before.
		return Buffer.concat([zlibHead, storedHead(body.length), body, storedHead(0)]);
	}
}

function storedHead(length: number): Buffer {
	const head = Buffer.alloc(5);
	head.writeUInt16LE(length, 1);
	head.writeUInt16LE(~length & 0xffff, 3);
	return head;
}

function plainBlock(headers: Readonly<Record<string, string>>): Buffer {
	const words = Object.entries(headers).flatMap(([name, value]) => [name.toLowerCase(), value]);
	const count = Buffer.alloc(4);
	count.writeUInt32BE(words.length / 2, 0);
	const encoded = words.map((word) => {
		const bytes = Buffer.from(word);
		const length = Buffer.alloc(4);
		length.writeUInt32BE(bytes.length, 0);
		return Buffer.concat([length, bytes]);
	});
	return Buffer.concat([count, ...encoded]);
}
