import type { Duplex } from 'node:stream';
import {
	dataHead,
	ping,
	RESET,
	rstStream,
	SpdyDecoder,
	type SpdyFrame,
	synStream,
} from '../../streaming/spdy/frames.ts';
import { HeaderWriter } from '../../streaming/spdy/headers.ts';
import { send } from './connect.ts';

const CHUNK_BYTES = 1024 * 1024;

/** The client's side of a SPDY/3.1 connection: we open every stream. What fails is told by `frames` too. */
export class SpdySession implements Disposable {
	readonly #duplex: Duplex;
	readonly #headers = new HeaderWriter();
	/** Streams of a client are odd. */
	#nextId = 1;

	constructor(duplex: Duplex) {
		this.#duplex = duplex;
	}

	/** Answers the id of the stream. */
	open(headers: Readonly<Record<string, string>>): number {
		const id = this.#nextId;
		this.#nextId += 2;
		this.#duplex.write(synStream(id, this.#headers.write(headers)));
		return id;
	}

	/** Settles when there is room for more; rejects when the connection is gone. */
	async send(id: number, data: Uint8Array): Promise<void> {
		for (let at = 0; at < data.length; at += CHUNK_BYTES) {
			const piece = data.subarray(at, at + CHUNK_BYTES);
			await send(this.#duplex, dataHead(id, piece.length), piece);
		}
	}

	/** Nothing more comes from us on this stream. */
	async end(id: number): Promise<void> {
		await send(this.#duplex, dataHead(id, 0, true));
	}

	/** What comes, until the server closes the connection. It is read only as fast as it is taken. */
	async *frames(): AsyncGenerator<SpdyFrame> {
		const decoder = new SpdyDecoder();
		for await (const chunk of this.#duplex as AsyncIterable<Buffer>)
			for (const frame of decoder.push(chunk)) {
				if (frame.type === 'ping') await send(this.#duplex, ping(frame.id));
				else if (frame.type === 'open')
					await send(this.#duplex, rstStream(frame.streamId, RESET.REFUSED_STREAM));
				else yield frame;
			}
	}

	/** Ends every stream at once. */
	[Symbol.dispose](): void {
		this.#duplex.destroy();
	}
}
