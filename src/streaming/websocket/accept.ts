/** The only file that knows the package ws: handshake, frames, pings, limits. */
import type { IncomingMessage } from 'node:http';
import type { Duplex, DuplexOptions } from 'node:stream';
import { createWebSocketStream, WebSocket, WebSocketServer } from 'ws';

/** Longest message: what Go's servers take, and some clients send all of a stdin as one. */
const MAX_MESSAGE_BYTES = 32 * 1024 * 1024;
const MAX_FRAGMENTS = 1024;
const HIGH_WATER_BYTES = 256 * 1024;

/** Of an orderly end clients expect the code for it; without one they tell of an error. */
class OrderlyWebSocket extends WebSocket {
	override close(code = 1000, data?: string | Buffer): void {
		super.close(code, data);
	}
}

const server = new WebSocketServer({
	noServer: true,
	perMessageDeflate: false,
	maxPayload: MAX_MESSAGE_BYTES,
	maxFragments: MAX_FRAGMENTS,
	clientTracking: false,
	WebSocket: OrderlyWebSocket,
});

/** What was agreed on, until it is told. */
const agreed = new WeakMap<IncomingMessage, string>();
server.on('headers', (headers, request) => {
	const protocol = agreed.get(request);
	if (protocol !== undefined) headers.push(`Sec-WebSocket-Protocol: ${protocol}`);
});

export interface AcceptedWebSocket {
	/** As agreed on; '' when the client named none. */
	readonly protocol: string;
	/** Every message is one chunk: text a string, all else a Buffer. Likewise what is written. */
	messages(): Duplex;
	/** Binary messages as one stream of bytes. */
	bytes(): Duplex;
	/** Sends a frame that says nothing. */
	pong(): void;
	/** Tells the client what is wrong with what it sent. */
	refuse(reason: string): void;
}

/** Answers the handshake; a request that is no handshake gets 400 and no socket. `protocol`: '' for none. */
export function acceptWebSocket(
	request: IncomingMessage,
	socket: Duplex,
	head: Buffer,
	protocol: string,
): Promise<AcceptedWebSocket | undefined> {
	if (protocol !== '') agreed.set(request, protocol);
	// RFC 6455 allows no "/" in the names, so ws would refuse Kubernetes' "SPDY/3.1+portforward.k8s.io".
	delete request.headers['sec-websocket-protocol'];
	return new Promise((resolve) => {
		socket.once('close', () => resolve(undefined));
		server.handleUpgrade(request, socket, head, (webSocket) => resolve(accepted(webSocket, protocol)));
	});
}

function accepted(webSocket: WebSocket, protocol: string): AcceptedWebSocket {
	return {
		protocol,
		messages: () =>
			streamOf(webSocket, { readableObjectMode: true, readableHighWaterMark: 1, decodeStrings: false }),
		bytes: () => streamOf(webSocket, { readableHighWaterMark: HIGH_WATER_BYTES }),
		pong() {
			if (webSocket.readyState === WebSocket.OPEN && webSocket.bufferedAmount === 0)
				webSocket.pong(undefined, false, () => {});
		},
		refuse: (reason) => webSocket.close(1002, reason.slice(0, 100)),
	};
}

function streamOf(webSocket: WebSocket, options: DuplexOptions): Duplex {
	const duplex = createWebSocketStream(webSocket, { ...options, writableHighWaterMark: HIGH_WATER_BYTES });
	// By itself it ends only when all that came before is read.
	webSocket.once('close', () => duplex.destroy());
	return duplex;
}
