/**
 * One forwarded connection: two streams of SPDY/3.1. The channels of a WebSocket could not be ended at one side alone.
 * Each connection has an upgraded one of its own, so that none waits for the reader of another.
 */
import type { Duplex } from 'node:stream';
import { unavailable } from '#base/errors.ts';
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

export const TUNNEL_PROTOCOL = 'portforward.k8s.io';

/** Streams of a client are odd; the error stream comes first. */
const ERROR_STREAM = 1;
const DATA_STREAM = 3;
const CHUNK_BYTES = 1024 * 1024;

/** Carries a connection until both sides have ended. Rejects with why it could not be made, or broke. */
export async function carry(tunnel: Duplex, port: number, local: Duplex): Promise<void> {
	try {
		await openStreams(tunnel, port);
		await Promise.all([sendAll(local, tunnel), receiveAll(tunnel, local)]);
	} finally {
		tunnel.destroy();
	}
}

async function openStreams(tunnel: Duplex, port: number): Promise<void> {
	const headers = new HeaderWriter();
	const open = (id: number, streamtype: string) =>
		synStream(id, headers.write({ streamtype, port: String(port), requestid: '0' }));
	await send(tunnel, open(ERROR_STREAM, 'error'));
	// Nothing is said on it by us.
	await send(tunnel, dataHead(ERROR_STREAM, 0, true));
	await send(tunnel, open(DATA_STREAM, 'data'));
}

async function sendAll(local: Duplex, tunnel: Duplex): Promise<void> {
	// It may still be written to when it has said everything.
	for await (const chunk of local.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>)
		for (let at = 0; at < chunk.length; at += CHUNK_BYTES) {
			const piece = chunk.subarray(at, at + CHUNK_BYTES);
			await send(tunnel, Buffer.concat([dataHead(DATA_STREAM, piece.length), piece]));
		}
	await send(tunnel, dataHead(DATA_STREAM, 0, true));
}

/** Until the port has ended its side, and the other side of it has no more to say of it. */
async function receiveAll(tunnel: Duplex, local: Duplex): Promise<void> {
	const decoder = new SpdyDecoder();
	const received = new Received(local);
	for await (const chunk of tunnel as AsyncIterable<Buffer>)
		for (const frame of decoder.push(chunk)) {
			await received.take(frame, tunnel);
			if (received.isWhole) return;
		}
	throw unavailable('the daemon broke the connection off');
}

class Received {
	readonly #local: Duplex;
	readonly #complaint: Buffer[] = [];
	#dataEnded = false;
	#errorEnded = false;

	constructor(local: Duplex) {
		this.#local = local;
	}

	/** The error stream ends last: when both sides have. */
	get isWhole(): boolean {
		return this.#dataEnded && this.#errorEnded;
	}

	async take(frame: SpdyFrame, tunnel: Duplex): Promise<void> {
		if (frame.type === 'reset') throw this.#failure('it was reset');
		if (frame.type === 'ping') await send(tunnel, ping(frame.id));
		if (frame.type === 'open') await send(tunnel, rstStream(frame.streamId, RESET.REFUSED_STREAM));
		if (frame.type !== 'data') return;
		if (frame.streamId === ERROR_STREAM) {
			this.#complaint.push(frame.data);
			if (!frame.fin) return;
			if (Buffer.concat(this.#complaint).length > 0) throw this.#failure('');
			this.#errorEnded = true;
		} else if (frame.streamId === DATA_STREAM) {
			if (frame.data.length > 0) await send(this.#local, frame.data);
			if (!frame.fin) return;
			this.#dataEnded = true;
			this.#local.end();
		}
	}

	#failure(otherwise: string): Error {
		return unavailable(Buffer.concat(this.#complaint).toString() || otherwise);
	}
}
