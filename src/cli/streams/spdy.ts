import { request as httpsRequest } from 'node:https';
import { addAbortSignal, type Duplex } from 'node:stream';
import { request as httpRequest } from '#base/http.ts';
import { type ConnectOptions, readBody, refusal, trusting, unreachable } from './connect.ts';

/** Asks for SPDY/3.1 at a streaming URL; what is returned carries its frames. UNAVAILABLE when nobody answers at the URL, or its certificate is not trusted; what the server says when it refuses. */
export async function connectSpdy(url: string, options: ConnectOptions): Promise<Duplex> {
	const request = (url.startsWith('https') ? httpsRequest : httpRequest)(url, {
		method: 'POST',
		headers: {
			connection: 'Upgrade',
			upgrade: 'SPDY/3.1',
			'x-stream-protocol-version': options.protocol,
		},
		signal: options.signal,
		...trusting(options),
	});
	request.end();
	return await new Promise((resolve, reject) => {
		request.once('error', (error) => reject(unreachable(url, error, options)));
		request.once('response', async (response) => {
			reject(refusal(url, response.statusCode, await readBody(response)));
		});
		request.once('upgrade', (_response, socket, head) => {
			if (head.length > 0) socket.unshift(head);
			// Whoever reads or writes hears of what breaks.
			socket.on('error', () => {});
			// The request's own signal is for the request alone.
			resolve(addAbortSignal(options.signal, socket));
		});
	});
}
