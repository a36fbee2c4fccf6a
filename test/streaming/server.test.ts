/** The streaming server itself: TLS, idle clients, what is no WebSocket, its end, what it tells. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { WebSocket } from 'ws';
import { createLog, type LogFields, silentLog } from '#base/log.ts';
import { loadConfig } from '../../src/config/load.ts';
import { StreamingServer } from '../../src/streaming/server.ts';
import { TestBed } from '../lifecycle/harness.ts';
import { makeCertificate } from '../support/certificate.ts';
import { type Refused, upgradeToSpdy } from '../support/spdy-client.ts';
import { until } from '../support/until.ts';
import { connectCommand } from './command-client.ts';

const PROTOCOL = 'v4.channel.k8s.io';

async function withContainer(settings: readonly string[] = []) {
	const bed = await TestBed.start(settings);
	const pod = await bed.runPod();
	const container_id = await bed.run(pod);
	const urlOf = async (...cmd: readonly string[]) =>
		(await bed.cri.Exec({ container_id, cmd, stdin: true, stdout: true, stderr: true })).url;
	const hasNoStream = async () =>
		/^gantry_open_streams\{kind="exec"\} 0$/m.test((await bed.daemon.metrics.render()).text);
	return { bed, pod, urlOf, hasNoStream, [Symbol.asyncDispose]: () => bed[Symbol.asyncDispose]() };
}

describe('streaming server', () => {
	it('speaks TLS, and takes over a certificate that is replaced', async () => {
		const folder = mkdtempSync(join(tmpdir(), 'gantry-tls-'));
		try {
			makeCertificate({ key: join(folder, 'key.pem'), certificate: join(folder, 'cert.pem') }, 'first');
			await using at = await withContainer([
				`streaming.tls_certificate=${join(folder, 'cert.pem')}`,
				`streaming.tls_key=${join(folder, 'key.pem')}`,
			]);
			const nameOf = async (): Promise<string | string[] | undefined> => {
				const url = await at.urlOf('true');
				assert.match(url, /^https:/);
				const { socket } = await upgradeToSpdy(url, [PROTOCOL], { rejectUnauthorized: false, agent: false });
				const { CN } = (socket as TLSSocket).getPeerCertificate().subject;
				socket.destroy();
				return CN;
			};
			assert.equal(await nameOf(), 'first');
			makeCertificate({ key: join(folder, 'key.pem'), certificate: join(folder, 'cert.pem') }, 'second');
			assert.equal(await nameOf(), 'second');
			writeFileSync(join(folder, 'cert.pem'), 'nonsense');
			assert.equal(await nameOf(), 'second', 'what cannot be used changes nothing');
		} finally {
			rmSync(folder, { recursive: true });
		}
	});

	it('refuses a key without a certificate, and files that cannot be used, naming the option', async () => {
		assert.throws(
			() => loadConfig({ set: ['streaming.tls_key=/x'] }),
			/tls_key: streaming\.tls_certificate is missing/,
		);
		const { streaming } = loadConfig({
			set: ['streaming.tls_certificate=/etc/hostname', 'streaming.tls_key=/no/such/key'],
		}).config;
		await assert.rejects(
			StreamingServer.start(streaming, silentLog, async () => {}),
			/Cannot read \/no\/such\/key \(streaming\.tls_key\)/,
		);
	});

	it('ends a stream on which nothing moves, and its command', async () => {
		await using at = await withContainer(['streaming.idle_timeout_seconds=1']);
		for (const transport of ['spdy', 'websocket'] as const) {
			const client = await connectCommand(await at.urlOf('sleep', '1000'), { transport, stdin: true });
			await client.closed;
		}
	});

	it('answers bad frames of a WebSocket with their codes, and its command ends', async () => {
		await using at = await withContainer();
		for (const [what, bytes, code] of [
			['no mask', Buffer.from([0x82, 0x01, 0x00]), 1002],
			['an unknown kind', Buffer.from([0x83, 0x80, 0, 0, 0, 0]), 1002],
			['reserved bits', Buffer.from([0xf2, 0x80, 0, 0, 0, 0]), 1002],
			['an oversized message', Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0]), 1009],
			['a continuation of nothing', Buffer.from([0x80, 0x80, 0, 0, 0, 0]), 1002],
		] as const) {
			const socket = new WebSocket((await at.urlOf('sleep', '1000')).replace('http', 'ws'), PROTOCOL);
			await once(socket, 'open');
			(socket as unknown as { _socket: Socket })._socket.write(bytes);
			const [got] = await once(socket, 'close');
			assert.equal(got, code, what);
		}
		await until('no stream is left', () => at.hasNoStream());
	});

	it('ends the command of a client that is gone in the middle of a frame', async () => {
		await using at = await withContainer();
		const masked = [0x82, 0x80 + 100, 0, 0, 0, 0];
		for (const [what, bytes] of [
			['the head of a WebSocket frame', Buffer.from(masked.slice(0, 4))],
			['a WebSocket frame', Buffer.from([...masked, 0, 1, 2])],
		] as const) {
			const socket = new WebSocket((await at.urlOf('sleep', '1000')).replace('http', 'ws'), PROTOCOL);
			await once(socket, 'open');
			(socket as unknown as { _socket: Socket })._socket.end(bytes);
			await once(socket, 'close');
			await until(`${what} cut off: no stream is left`, () => at.hasNoStream());
		}
		for (const [what, bytes] of [
			['the head of a SPDY frame', Buffer.from([0x80, 3, 0, 1])],
			['a header block', Buffer.concat([Buffer.from([0x80, 3, 0, 1, 0, 0, 0, 50]), Buffer.alloc(20, 1)])],
			['a data frame', Buffer.from([0, 0, 0, 1, 0, 0, 1, 0, 7])],
		] as const) {
			const { socket } = await upgradeToSpdy(await at.urlOf('sleep', '1000'), [PROTOCOL]);
			socket.end(bytes).resume();
			await once(socket, 'close');
			await until(`${what} cut off: no stream is left`, () => at.hasNoStream());
		}
	});

	it('forgets a URL that nobody has used in time', async () => {
		await using at = await withContainer(['streaming.token_ttl_seconds=1']);
		const url = await at.urlOf('true');
		// A request that is no upgrade is answered 400 while the URL is good, and does not use it.
		await until('it is too late', async () => (await fetch(url)).status === 404);
		await assert.rejects(
			connectCommand(url, { transport: 'spdy' }),
			(error: Refused) => error.code === 404 && /is older than 1 s/.test(error.message),
		);
	});

	it('tells a client of a base64 protocol that what it sends is none', async () => {
		await using at = await withContainer();
		const socket = new WebSocket(
			(await at.urlOf('sleep', '1000')).replace('http', 'ws'),
			'v4.base64.channel.k8s.io',
		);
		await once(socket, 'open');
		socket.send('0not base64');
		const [code, reason] = await once(socket, 'close');
		assert.equal(code, 1002);
		assert.match(String(reason), /not base64/);
	});

	it('refuses a WebSocket handshake that is none', async () => {
		await using at = await withContainer();
		const { hostname, port, pathname } = new URL(await at.urlOf('true'));
		const socket = connect(Number(port), hostname);
		socket.write(`GET ${pathname} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`);
		assert.match((await socket.toArray()).join(''), /^HTTP\/1\.1 400 /);
	});

	it('ends every stream with the daemon, and the containers go on', async () => {
		await using at = await withContainer();
		const client = await connectCommand(await at.urlOf('sleep', '1000'), { transport: 'spdy', stdin: true });
		await at.bed.crash();
		await client.closed;
		await at.bed.start();
		const { containers } = await at.bed.cri.ListContainers();
		assert.equal(containers[0]?.state, 'CONTAINER_RUNNING');
	});

	it('counts open streams by kind, and logs how each ended', async () => {
		const lines: LogFields[] = [];
		const log = createLog('info', (line) => lines.push(JSON.parse(line)));
		await using at = await withContainer();
		Object.assign(at.bed.daemon, { log });
		const client = await connectCommand(await at.urlOf('sh', '-c', 'read x; exit 4'), {
			transport: 'spdy',
			stdin: true,
		});
		await until('it is counted', async () =>
			/^gantry_open_streams\{kind="exec"\} 1$/m.test((await at.bed.daemon.metrics.render()).text),
		);
		client.write('x\n');
		await client.status();
		await until('it is logged', () => lines.some(({ msg }) => msg === 'exec ended'));
		const line = lines.find(({ msg }) => msg === 'exec ended');
		assert.equal(line?.outcome, 'exit code 4');
		assert.equal(line?.protocol, 'v5.channel.k8s.io');
		assert.ok(Number(line?.durationMs) >= 0);
	});
});
