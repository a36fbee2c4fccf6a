/** The streams of a process in a container, joined to ours: v5.channel.k8s.io over a WebSocket. */
import type { Duplex } from 'node:stream';
import { messageOf, unavailable } from '#base/errors.ts';
import { CLOSE_CHANNEL, decodeMessage, encodeMessage } from '../../streaming/websocket/channels.ts';
import type { Output, StandardStreams } from '../io.ts';
import { send } from './connect.ts';
import { DetachScanner } from './detach-keys.ts';
import { type InputReader, readInput } from './read-input.ts';
import { type Outcome, readStatus } from './status.ts';
import { rawMode, type Size, watchSize } from './terminal.ts';

export const COMMAND_PROTOCOL = 'v5.channel.k8s.io';

const CHANNEL = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4 } as const;

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
	using _raw = options.tty && options.stdin && stdin.isTTY ? rawMode(stdin) : undefined;
	using _size = options.tty && stdout.isTTY ? watchSize(stdout, (size) => tellSize(duplex, size)) : undefined;
	const detached = Promise.withResolvers<Joined>();
	const detach = () => detached.resolve({ kind: 'detached' });
	using _input = options.stdin ? sendInput(duplex, stdin, options.detachKeys, detach) : undefined;
	try {
		return await Promise.race([detached.promise, receive(duplex, stdout, stderr, options.what)]);
	} finally {
		duplex.destroy();
	}
}

function tellSize(duplex: Duplex, { columns, rows }: Size): void {
	const size = JSON.stringify({ Width: columns, Height: rows });
	void send(duplex, encodeMessage(CHANNEL.resize, Buffer.from(size), 'binary')).catch(() => {});
}

/** That the process takes no input any more is no error, as with a pipe: its end comes by itself. */
function sendInput(
	duplex: Duplex,
	stdin: StandardStreams['stdin'],
	keys: Buffer = Buffer.alloc(0),
	detach: () => void,
): InputReader {
	const scanner = new DetachScanner(keys);
	const reader = readInput(stdin, async (chunk) => {
		const { passed, detached } = scanner.push(chunk);
		if (passed.length > 0) await send(duplex, encodeMessage(CHANNEL.stdin, passed, 'binary'));
		if (detached) detach();
	});
	const endInput = () => send(duplex, Buffer.of(CLOSE_CHANNEL, CHANNEL.stdin));
	void reader.ended.then(endInput).catch(() => {});
	return reader;
}

async function receive(duplex: Duplex, stdout: Output, stderr: Output, what: string): Promise<Outcome> {
	const status: Buffer[] = [];
	let broken = 'it closed the connection';
	try {
		for await (const message of duplex as AsyncIterable<Buffer | string>) {
			const decoded = decodeMessage(message, 'binary');
			if (decoded === undefined || decoded.data.length === 0) continue;
			const { channel, data } = decoded;
			if (channel === CHANNEL.stdout) await send(stdout, data);
			else if (channel === CHANNEL.stderr) await send(stderr, data);
			else if (channel === CHANNEL.error) status.push(data);
		}
	} catch (error) {
		broken = messageOf(error);
	}
	if (status.length > 0) return readStatus(Buffer.concat(status).toString());
	throw unavailable(`The daemon broke off the streams of ${what}: ${broken}; how it ended is not known`);
}
