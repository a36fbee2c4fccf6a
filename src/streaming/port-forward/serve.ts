/** Port-forward over SPDY, and over a WebSocket in its two forms. */
import type { Duplex } from 'node:stream';
import { SpdyConnection } from '../spdy/connection.ts';
import type { AcceptedWebSocket } from '../websocket/accept.ts';
import { ChannelConnection } from '../websocket/connection.ts';
import { StreamPairs } from './pairs.ts';
import type { ForwardSession } from './session.ts';

const SPDY = 'portforward.k8s.io';
/** Frames of SPDY within the binary messages of a WebSocket. */
const TUNNEL = `SPDY/3.1+${SPDY}`;

export const SPDY_FORWARD_PROTOCOLS = [SPDY];
/** Those with channels carry one connection for each port of the request; '' is the binary one. */
export const WEBSOCKET_FORWARD_PROTOCOLS = [TUNNEL, 'v4.channel.k8s.io', 'v4.base64.channel.k8s.io', ''];

/** Any number of connections, two streams each. */
export function forwardOverSpdy(duplex: Duplex, protocol: string, session: ForwardSession): SpdyConnection {
	const pairs = new StreamPairs((pair) => session.begin(pair));
	const connection = new SpdyConnection(duplex, protocol, (stream) => pairs.add(stream));
	void connection.closed.then(() => pairs[Symbol.dispose]());
	return connection;
}

export const isTunnel = (protocol: string): boolean => protocol === TUNNEL;

/** For each port two channels, data and error; the first message on each is the port, as the client must know. */
export async function forwardOverChannels(
	socket: AcceptedWebSocket,
	ports: readonly number[],
	session: ForwardSession,
): Promise<ChannelConnection> {
	const connection = new ChannelConnection(socket, {
		codec: socket.protocol.includes('base64') ? 'base64' : 'binary',
		inputs: ports.map((_, index) => index * 2),
		halfClose: false,
	});
	const pairs = ports.map((port, index) => ({
		port,
		data: connection.channel(index * 2),
		error: connection.channel(index * 2 + 1),
	}));
	for (const { port, data, error } of pairs) {
		const number = Buffer.alloc(2);
		number.writeUInt16LE(port);
		await data.write(number);
		await error.write(number);
	}
	for (const pair of pairs) session.begin(pair);
	return connection;
}
