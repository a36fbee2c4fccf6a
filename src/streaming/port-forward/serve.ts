/** Port-forward over SPDY, and over a WebSocket in its two forms. */
import type { Duplex } from 'node:stream';
import { HttpRefusal } from '../http.ts';
import { SpdyConnection } from '../spdy/connection.ts';
import type { AcceptedWebSocket } from '../websocket/accept.ts';
import type { ChannelCodec } from '../websocket/channels.ts';
import { ChannelConnection } from '../websocket/connection.ts';
import { StreamPairs } from './pairs.ts';
import type { ForwardSession } from './session.ts';

const SPDY = 'portforward.k8s.io';
/** Frames of SPDY within the binary messages of a WebSocket. */
const TUNNEL = `SPDY/3.1+${SPDY}`;

export const SPDY_FORWARD_PROTOCOLS = [SPDY];
/** Those with channels carry one connection for each port of the request; '' is the binary one. */
export const WEBSOCKET_FORWARD_PROTOCOLS = [TUNNEL, 'v4.channel.k8s.io', 'v4.base64.channel.k8s.io', ''];

/** A channel is one byte, in base64 one digit, and a port takes two of them. */
const MAX_PORTS = { binary: 127, base64: 5 } as const;

const codecOf = (protocol: string): ChannelCodec => (protocol.includes('base64') ? 'base64' : 'binary');

/** 400 when the channels of a protocol do not suffice for the ports of the request. */
export function checkPortCount(protocol: string, ports: readonly number[]): void {
	if (SPDY_FORWARD_PROTOCOLS.includes(protocol) || isTunnel(protocol)) return;
	const most = MAX_PORTS[codecOf(protocol)];
	if (ports.length > most)
		throw new HttpRefusal(
			400,
			`unable to forward ${ports.length} ports over "${protocol}": its channels suffice for ${most}; ask for fewer, or speak ${SPDY}`,
		);
}

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
		codec: codecOf(socket.protocol),
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
