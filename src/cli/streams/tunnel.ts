/**
 * One forwarded connection: two streams of SPDY/3.1, of which each side ends on its own. Each connection has an upgraded
 * one of its own, so that none waits for the reader of another.
 */
import type { Duplex } from 'node:stream';
import { unavailable } from '#base/errors.ts';
import type { SpdyFrame } from '../../streaming/spdy/frames.ts';
import { send } from './connect.ts';
import { SpdySession } from './session.ts';

export const TUNNEL_PROTOCOL = 'portforward.k8s.io';

/** Carries a connection until both sides have ended. Rejects with why it could not be made, or broke. */
export async function carry(tunnel: Duplex, port: number, local: Duplex): Promise<void> {
	using session = new SpdySession(tunnel);
	const open = (streamtype: string) => session.open({ streamtype, port: String(port), requestid: '0' });
	const errorId = open('error');
	// Nothing is said on it by us.
	await session.end(errorId);
	const dataId = open('data');
	await Promise.all([
		sendAll(local, session, dataId),
		receiveAll(session, new Received(local, { errorId, dataId })),
	]);
}

async function sendAll(local: Duplex, session: SpdySession, dataId: number): Promise<void> {
	// It may still be written to when it has said everything.
	for await (const chunk of local.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>)
		await session.send(dataId, chunk);
	await session.end(dataId);
}

/** Until the port has ended its side, and the other side of it has no more to say of it. */
async function receiveAll(session: SpdySession, received: Received): Promise<void> {
	for await (const frame of session.frames()) {
		await received.take(frame);
		if (received.isWhole) return;
	}
	throw unavailable('the daemon broke the connection off');
}

class Received {
	readonly #local: Duplex;
	readonly #errorId: number;
	readonly #dataId: number;
	readonly #complaint: Buffer[] = [];
	#dataEnded = false;
	#errorEnded = false;

	constructor(local: Duplex, { errorId, dataId }: { readonly errorId: number; readonly dataId: number }) {
		this.#local = local;
		this.#errorId = errorId;
		this.#dataId = dataId;
	}

	/** The error stream ends last: when both sides have. */
	get isWhole(): boolean {
		return this.#dataEnded && this.#errorEnded;
	}

	async take(frame: SpdyFrame): Promise<void> {
		if (frame.type === 'reset') throw this.#failure('it was reset');
		if (frame.type !== 'data') return;
		if (frame.streamId === this.#errorId) {
			this.#complaint.push(frame.data);
			if (!frame.fin) return;
			if (Buffer.concat(this.#complaint).length > 0) throw this.#failure('');
			this.#errorEnded = true;
		} else if (frame.streamId === this.#dataId) {
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
