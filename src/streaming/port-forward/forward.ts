import { messageOf } from '#base/errors.ts';
import type { ForwardStream } from '#runtime';
import type { ClientStream } from '../client.ts';

/** UNAVAILABLE or FAILED_PRECONDITION naming the port when nobody listens there. */
export type Connect = (port: number, signal: AbortSignal) => Promise<ForwardStream>;

/** The two streams of a client for one connection. */
export interface ForwardedPair {
	readonly port: number;
	readonly data: ClientStream;
	/** What is written to it the client tells its user. */
	readonly error: ClientStream;
}

/** How one connection ended; `error`: why, if it was not in order. */
export interface Forwarded {
	readonly sentBytes: number;
	readonly receivedBytes: number;
	readonly error?: string;
}

/**
 * Carries one connection until both sides have said everything. Never fails. That it cannot be made is told on its
 * error stream; what breaks later is only reset, for clients take a word on that stream for the end of all their
 * connections.
 */
export async function forward(
	{ port, data, error }: ForwardedPair,
	connect: Connect,
	signal: AbortSignal,
): Promise<Forwarded> {
	const moved = { sentBytes: 0, receivedBytes: 0 };
	const count = (what: keyof typeof moved) => (bytes: number) => {
		moved[what] += bytes;
	};
	let isMade = false;
	try {
		await using stream = await connect(port, signal);
		isMade = true;
		await Promise.all([
			move(data.input, stream, count('receivedBytes')),
			move(stream.output, data, count('sentBytes')),
		]);
		return moved;
	} catch (reason) {
		const failure = messageOf(reason);
		if (!isMade && !signal.aborted) await error.write(Buffer.from(failure)).catch(() => {});
		data.reset();
		return { ...moved, error: failure };
	} finally {
		await error.end();
	}
}

async function move(
	from: AsyncIterable<Buffer>,
	to: Pick<ForwardStream, 'write' | 'end'>,
	count: (bytes: number) => void,
): Promise<void> {
	for await (const chunk of from) {
		await to.write(chunk);
		count(chunk.length);
	}
	await to.end();
}
