import type { Duplex } from 'node:stream';
import { deadlineExceeded } from '#base/errors.ts';
import { clientLeft } from '../outlet.ts';
import type { WantedStreams } from '../requests.ts';
import { SpdyConnection, type SpdyStream } from '../spdy/connection.ts';
import { type CommandClient, STREAM_CREATION_MS } from './client.ts';

/** Protocols of exec and attach within SPDY. Since v3 there is a stream for sizes, since v4 a structured status. */
export const SPDY_COMMAND_PROTOCOLS = [5, 4, 3, 2]
	.map((version) => `v${version}.channel.k8s.io`)
	// The first one.
	.concat('channel.k8s.io');

/** Waits until the client has opened each stream that it asked for. DEADLINE_EXCEEDED when it does not. */
export async function openSpdyCommand(
	socket: Duplex,
	protocol: string,
	wanted: WantedStreams,
): Promise<CommandClient> {
	const version = Number(/^v(\d)/.exec(protocol)?.[1] ?? 1);
	const expected = namesOf(wanted, version);
	const streams = new Map<string, SpdyStream>();
	const complete = Promise.withResolvers<void>();
	const connection = new SpdyConnection(socket, protocol, (stream) => {
		const name = stream.headers.get('streamtype') ?? '';
		if (!expected.has(name) || streams.has(name)) return false;
		streams.set(name, stream);
		if (streams.size === expected.size) complete.resolve();
		return true;
	});
	const late = setTimeout(() => {
		const missing = [...expected].filter((name) => !streams.has(name)).join(', ');
		complete.reject(
			deadlineExceeded(`The client did not open ${missing} within ${STREAM_CREATION_MS / 1000} s`),
		);
	}, STREAM_CREATION_MS);
	void connection.closed.then(() => complete.reject(clientLeft()));
	try {
		await complete.promise;
	} catch (error) {
		connection.destroy(String(error));
		throw error;
	} finally {
		clearTimeout(late);
	}
	const error = streams.get('error');
	if (error === undefined) throw clientLeft();
	return {
		connection,
		stdin: streams.get('stdin'),
		stdout: streams.get('stdout'),
		stderr: streams.get('stderr'),
		resize: streams.get('resize'),
		error,
		hasStructuredStatus: version >= 4,
	};
}

function namesOf({ stdin, stdout, stderr, tty }: WantedStreams, version: number): ReadonlySet<string> {
	return new Set([
		'error',
		...(stdin ? ['stdin'] : []),
		...(stdout ? ['stdout'] : []),
		...(stderr ? ['stderr'] : []),
		...(tty && version >= 3 ? ['resize'] : []),
	]);
}
