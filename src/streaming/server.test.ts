import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, it } from 'node:test';
import { createLog, silentLog } from '#base/log.ts';
import { loadConfig } from '../config/load.ts';
import { type ServerLimits, StreamingServer } from './server.ts';

const start = (limits: ServerLimits, log = silentLog, set: readonly string[] = []) =>
	StreamingServer.start(loadConfig({ set: [...set] }).config.streaming, log, async () => {}, limits);

const clientOf = (server: StreamingServer) => {
	const { hostname, port } = new URL(server.baseUrl);
	return connect(Number(port), hostname)
		.resume()
		.on('error', () => {});
};

describe('StreamingServer', () => {
	it('takes no more connections than its limit', async () => {
		await using server = await start({ connections: 1, headersMs: 60_000, lookMs: 60_000 });
		const first = clientOf(server);
		await once(first, 'connect');
		await once(clientOf(server), 'close');
		assert.equal(first.destroyed, false);
	});

	it('ends a client that asks for nothing', async () => {
		await using server = await start({ connections: 10, headersMs: 1, lookMs: 10 });
		await once(clientOf(server), 'close');
	});

	it('warns when it listens beyond loopback without TLS', async () => {
		for (const [address, warned] of [
			['127.0.0.1:0', false],
			['0.0.0.0:0', true],
		] as const) {
			const lines: string[] = [];
			const log = createLog('info', (line) => lines.push(line));
			const limits = { connections: 10, headersMs: 60_000, lookMs: 60_000 };
			await using _server = await start(limits, log, [`streaming.address=${address}`]);
			assert.equal(/warn.*streaming\.tls_certificate/.test(lines.join()), warned, address);
		}
	});
});
