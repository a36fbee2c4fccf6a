/** A SPDY/3.1 client for tests, which speaks as Kubernetes' do: it opens all streams, and compresses its headers. */
import assert from 'node:assert/strict';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import type { Socket } from 'node:net';
import { constants, createDeflate } from 'node:zlib';
import { DICTIONARY } from '../../src/streaming/spdy/dictionary.ts';
import { dataHead, SpdyDecoder, type SpdyFrame, synStream } from '../../src/streaming/spdy/frames.ts';

/** What an upgrade was answered instead of 101. */
export class Refused extends Error {
	readonly code: number;
	readonly headers: IncomingMessage['headers'];
	constructor(code: number, text: string, headers: IncomingMessage['headers']) {
		super(text);
		this.code = code;
		this.headers = headers;
	}
}

/** Asks for SPDY. Rejects with Refused when the answer is another one than 101. */
export function upgradeToSpdy(
	url: string,
	protocols: readonly string[],
	options: RequestOptions = {},
): Promise<{ readonly socket: Socket; readonly protocol: string }> {
	const request = (url.startsWith('https') ? httpsRequest : httpRequest)(url, {
		method: 'POST',
		headers: { connection: 'Upgrade', upgrade: 'SPDY/3.1', 'x-stream-protocol-version': [...protocols] },
		...options,
	});
	request.end();
	return new Promise((resolve, reject) => {
		request.on('error', reject);
		request.on('upgrade', (response, socket, head) => {
			if (head.length > 0) socket.unshift(head);
			resolve({ socket: socket as Socket, protocol: String(response.headers['x-stream-protocol-version']) });
		});
		request.on('response', async (response) => {
			let text = '';
			for await (const chunk of response) text += chunk;
			reject(new Refused(response.statusCode ?? 0, text, response.headers));
		});
	});
}

export class SpdyClient {
	readonly socket: Socket;
	/** Every frame that came. */
	readonly frames: SpdyFrame[] = [];
	/** Settles when the server has closed the connection. */
	readonly closed: Promise<void>;
	readonly #deflate = createDeflate({ dictionary: DICTIONARY, flush: constants.Z_SYNC_FLUSH });
	readonly #streams = new Map<number, ClientSpdyStream>();
	readonly #waiting = new Set<() => void>();
	#nextId = 1;
	#sent: Promise<void> = Promise.resolve();

	constructor(socket: Socket) {
		this.socket = socket;
		const decoder = new SpdyDecoder();
		socket.on('data', (chunk: Buffer) => {
			for (const frame of decoder.push(chunk)) this.#take(frame);
			for (const wake of this.#waiting) wake();
		});
		socket.on('error', () => {});
		this.closed = new Promise((resolve) => socket.on('close', () => resolve()));
		void this.closed.then(() => {
			for (const stream of this.#streams.values()) stream.ended.resolve();
			for (const wake of this.#waiting) wake();
		});
	}

	/** Opens a stream and waits for the answer; rejects when it is reset. */
	async open(headers: Readonly<Record<string, string>>, id = this.#nextId): Promise<ClientSpdyStream> {
		this.#nextId = Math.max(this.#nextId, id + 2);
		const stream = new ClientSpdyStream(this, id);
		this.#streams.set(id, stream);
		await this.synStream(id, headers);
		const answer = await this.frame(
			(frame) => (frame.type === 'reply' || frame.type === 'reset') && frame.streamId === id,
		);
		if (answer.type === 'reset') throw new Error(`stream ${id} was reset with status ${answer.status}`);
		return stream;
	}

	/** Sends a SYN_STREAM and does not wait for anything. In their order: the blocks are one stream of zlib. */
	async synStream(id: number, headers: Readonly<Record<string, string>>): Promise<void> {
		this.#sent = this.#sent.then(async () => {
			this.socket.write(synStream(id, await this.#compressed(plainBlock(headers))));
		});
		await this.#sent;
	}

	#compressed(plain: Buffer): Promise<Buffer> {
		return new Promise((resolve) => {
			const chunks: Buffer[] = [];
			const collect = (chunk: Buffer) => chunks.push(chunk);
			this.#deflate.on('data', collect);
			this.#deflate.write(plain, () => {
				this.#deflate.off('data', collect);
				resolve(Buffer.concat(chunks));
			});
		});
	}

	/** The first frame of this kind, waited for. Fails when the connection ends before. */
	async frame(isIt: (frame: SpdyFrame) => boolean): Promise<SpdyFrame> {
		for (;;) {
			const found = this.frames.find(isIt);
			if (found !== undefined) return found;
			if (this.socket.destroyed) throw new Error('the connection ended before the frame came');
			await new Promise<void>((resolve) => this.#waiting.add(resolve));
		}
	}

	#take(frame: SpdyFrame): void {
		const stream = 'streamId' in frame ? this.#streams.get(frame.streamId) : undefined;
		if (frame.type !== 'data') this.frames.push(frame);
		if (frame.type === 'data') {
			assert.ok(stream, `data of stream ${frame.streamId}, which was not opened`);
			stream.take(frame.data);
			if (frame.fin) stream.ended.resolve();
		}
		if (frame.type === 'reset') stream?.ended.resolve();
	}
}

export class ClientSpdyStream {
	readonly ended = Promise.withResolvers<void>();
	readonly id: number;
	/** What comes is only counted. */
	countsOnly = false;
	readonly #client: SpdyClient;
	readonly #chunks: Buffer[] = [];
	#bytes = 0;

	constructor(client: SpdyClient, id: number) {
		this.#client = client;
		this.id = id;
	}

	get receivedBytes(): number {
		return this.#bytes;
	}
	/** What has come so far. */
	get received(): string {
		return Buffer.concat(this.#chunks).toString();
	}

	/** Everything until the end of the stream. */
	async text(): Promise<string> {
		await this.ended.promise;
		return this.received;
	}

	/** `done`: the kernel has it. */
	write(data: Uint8Array | string, done: () => void = () => {}): void {
		const bytes = Buffer.from(data);
		this.#client.socket.write(dataHead(this.id, bytes.length));
		this.#client.socket.write(bytes, done);
	}

	end(): void {
		this.#client.socket.write(dataHead(this.id, 0, true));
	}

	take(data: Buffer): void {
		this.#bytes += data.length;
		if (!this.countsOnly) this.#chunks.push(Buffer.from(data));
	}
}

/** Names and values as they are before compression. */
export function plainBlock(headers: Readonly<Record<string, string>>): Buffer {
	const words = Object.entries(headers).flat();
	const number = (value: number) => {
		const bytes = Buffer.alloc(4);
		bytes.writeUInt32BE(value);
		return bytes;
	};
	return Buffer.concat([
		number(words.length / 2),
		...words.flatMap((word) => [number(Buffer.byteLength(word)), Buffer.from(word)]),
	]);
}
