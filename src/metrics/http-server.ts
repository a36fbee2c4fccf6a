import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fromSystemError, messageOf } from '#base/errors.ts';
import { createServer } from '#base/http.ts';
import { splitHostPort } from '../config/kinds.ts';
import type { Metrics } from './metrics.ts';

export interface MetricsServer extends AsyncDisposable {
	/** Where it listens, with the port that was chosen: `127.0.0.1:9090`. */
	readonly address: string;
}

/** Why the daemon cannot do its work; empty when it can. */
export type Health = () => readonly string[];

/** Serves /metrics and /healthz. */
export async function startMetricsServer(
	address: string,
	metrics: Metrics,
	health: Health,
): Promise<MetricsServer> {
	const server = createServer((request, response) => {
		answer(request, response, metrics, health).catch((error: unknown) =>
			plain(response, 500, `${messageOf(error)}\n`),
		);
	});
	await listen(server, address);
	return {
		address: addressOf(server),
		async [Symbol.asyncDispose]() {
			const closed = new Promise((resolve) => server.close(resolve));
			server.closeAllConnections();
			await closed;
		},
	};
}

async function answer(
	request: IncomingMessage,
	response: ServerResponse,
	metrics: Metrics,
	health: Health,
): Promise<void> {
	const [pathname] = (request.url ?? '/').split('?', 1);
	if (request.method !== 'GET' && request.method !== 'HEAD')
		return plain(response, 405, 'Only GET and HEAD are answered.\n');
	if (pathname === '/healthz') {
		const problems = health();
		return plain(
			response,
			problems.length === 0 ? 200 : 503,
			problems.length === 0 ? 'ok\n' : `${problems.join('\n')}\n`,
		);
	}
	if (pathname !== '/metrics') return plain(response, 404, 'Here are /metrics and /healthz.\n');
	const { contentType, text } = await metrics.render();
	response.writeHead(200, { 'content-type': contentType }).end(text);
}

function plain(response: ServerResponse, code: number, text: string): void {
	if (!response.headersSent) response.writeHead(code, { 'content-type': 'text/plain; charset=utf-8' });
	response.end(text);
}

function listen(server: Server, address: string): Promise<void> {
	return new Promise((resolve, reject) => {
		server.once('error', (error) =>
			reject(fromSystemError(`Cannot serve metrics on ${address} (metrics.address)`, error)),
		);
		server.listen(splitHostPort(address), () => resolve());
	});
}

function addressOf(server: Server): string {
	const { address, family, port } = server.address() as AddressInfo;
	return family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`;
}
