/** The streams of a process in a container, joined to ours: v5.channel.k8s.io over SPDY/3.1. */
import type { Duplex } from 'node:stream';
import { messageOf, unavailable } from '#base/errors.ts';
import type { Output, StandardStreams } from '../io.ts';
import { send } from './connect.ts';
import { DetachScanner } from './detach-keys.ts';
import { type InputReader, readInput } from './read-input.ts';
import { SpdySession } from './session.ts';
import { type Outcome, readStatus } from './status.ts';
import { rawMode, type Size, watchSize } from './terminal.ts';

export const COMMAND_PROTOCOL = 'v5.channel.k8s.io';

/** Ids of the streams that there are. */
interface Streams {
	readonly error: number;
	readonly stdin: number | undefined;
	readonly stdout: number;
	readonly stderr: number | undefined;
	readonly resize: number | undefined;
}

export interface JoinOptions {
	readonly stdin: boolean;
	/** Our terminal becomes that of the process. */
	readonly tty: boolean;
	/** Keys that leave it alone; empty: none. */
	readonly detachKeys?: Buffer;
	/** What has ended when the connection breaks: `the command in container web`. */
	readonly what: string;
}

export type Joined = Outcome | { readonly kind: 'detached' };

/** Joins the streams until the process ends, or the user leaves it. UNAVAILABLE when the connection breaks. */
export async function joinStreams(
	duplex: Duplex,
	{ stdin, stdout, stderr }: StandardStreams,
	options: JoinOptions,
): Promise<Joined> {
	using session = new SpdySession(duplex);
	const streams = openStreams(session, options);
	using _raw = options.tty && options.stdin && stdin.isTTY ? rawMode(stdin) : undefined;
	using _size =
		options.tty && stdout.isTTY ? watchSize(stdout, (size) => tellSize(session, streams, size)) : undefined;
	const detached = Promise.withResolvers<Joined>();
	const detach = () => detached.resolve({ kind: 'detached' });
	using _input = sendInput(session, streams, stdin, options.detachKeys, detach);
	return await Promise.race([detached.promise, receive(session, streams, stdout, stderr, options.what)]);
}

/** All that the daemon waits for: what it was asked for by the RPC. */
function openStreams(session: SpdySession, { stdin, tty }: JoinOptions): Streams {
	const open = (streamtype: string) => session.open({ streamtype });
	return {
		error: open('error'),
		stdin: stdin ? open('stdin') : undefined,
		stdout: open('stdout'),
		stderr: tty ? undefined : open('stderr'),
		resize: tty ? open('resize') : undefined,
	};
}

function tellSize(session: SpdySession, { resize }: Streams, { columns, rows }: Size): void {
	if (resize === undefined) return;
	const size = JSON.stringify({ Width: columns, Height: rows });
	void session.send(resize, Buffer.from(size)).catch(() => {});
}

/** That the process takes no input any more is no error, as with a pipe: its end comes by itself. */
function sendInput(
	session: SpdySession,
	{ stdin: id }: Streams,
	stdin: StandardStreams['stdin'],
	keys: Buffer = Buffer.alloc(0),
	detach: () => void,
): InputReader | undefined {
	if (id === undefined) return undefined;
	const scanner = new DetachScanner(keys);
	const reader = readInput(stdin, async (chunk) => {
		const { passed, detached } = scanner.push(chunk);
		if (passed.length > 0) await session.send(id, passed);
		if (detached) detach();
	});
	void reader.ended.then(() => session.end(id)).catch(() => {});
	return reader;
}

async function receive(
	session: SpdySession,
	{ stdout: stdoutId, stderr: stderrId, error: errorId }: Streams,
	stdout: Output,
	stderr: Output,
	what: string,
): Promise<Outcome> {
	const status: Buffer[] = [];
	let broken = 'it closed the connection';
	try {
		for await (const frame of session.frames()) {
			if (frame.type !== 'data' || frame.data.length === 0) continue;
			const { streamId, data } = frame;
			if (streamId === stdoutId) await send(stdout, data);
			else if (streamId === stderrId) await send(stderr, data);
			else if (streamId === errorId) status.push(data);
		}
	} catch (error) {
		broken = messageOf(error);
	}
	if (status.length > 0) return readStatus(Buffer.concat(status).toString());
	throw unavailable(`The daemon broke off the streams of ${what}: ${broken}; how it ended is not known`);
}
