/** The client's side of the package ws: a streaming URL becomes a duplex stream with back-pressure both ways. */
import type { Duplex } from 'node:stream';
import { createWebSocketStream, WebSocket } from 'ws';
import { type ConnectOptions, readBody, refusal, trusting, unreachable } from './connect.ts';

const HIGH_WATER_BYTES = 256 * 1024;
const MAX_MESSAGE_BYTES = 32 * 1024 * 1024;

/** Every message is one chunk. UNAVAILABLE when nobody answers at the URL, or its certificate is not trusted; what the server says when it refuses. */
export async function connectWebSocket(url: string, options: ConnectOptions): Promise<Duplex> {
	const { protocol, signal } = options;
	const socket = new WebSocket(url.replace(/^http/, 'ws'), [protocol], {
		perMessageDeflate: false,
		maxPayload: MAX_MESSAGE_BYTES,
		...trusting(options),
	});
	const leave = () => socket.terminate();
	signal.addEventListener('abort', leave, { once: true });
	socket.once('close', () => signal.removeEventListener('abort', leave));
	// Before it is open: the first messages come with the answer.
	const duplex = createWebSocketStream(socket, {
		readableObjectMode: true,
		readableHighWaterMark: 1,
		writableHighWaterMark: HIGH_WATER_BYTES,
	});
	await new Promise<void>((resolve, reject) => {
		socket.once('open', resolve);
		duplex.once('error', (error) => reject(unreachable(url, error)));
		socket.once('unexpected-response', async (_, response) => {
			reject(refusal(url, response.statusCode, await readBody(response)));
			duplex.destroy();
		});
	});
	// Whoever reads or writes hears of what breaks.
	duplex.on('error', () => {});
	return duplex;
}
