/** Port-forward over SPDY, SPDY in a WebSocket, and WebSocket channels, with clients of our own. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { createWebSocketStream, WebSocket } from 'ws';
import { failureOf, TestBed } from '../lifecycle/harness.ts';
import { SpdyClient, upgradeToSpdy } from '../support/spdy-client.ts';
import { until } from '../support/until.ts';

/** Says what it hears, to any number at once. */
const SERVER = 'exec busybox nc -ll -p 8080 -e cat';

describe('port-forward', () => {
	let bed: TestBed;
	let pod = '';
	before(async () => {
		bed = await TestBed.start();
		pod = await bed.runPod();
		const container = await bed.run(pod, { command: ['sh', '-c', SERVER] });
		await until('it listens', async () =>
			/:1F90 /.test(await bed.sh(container, 'cat /proc/net/tcp /proc/net/tcp6')),
		);
	});
	after(() => bed[Symbol.asyncDispose]());

	const urlOf = async (port: readonly number[] = []) =>
		(await bed.cri.PortForward({ pod_sandbox_id: pod, port })).url;

	async function overSpdy(): Promise<SpdyClient> {
		const { socket, protocol } = await upgradeToSpdy(await urlOf(), ['portforward.k8s.io']);
		assert.equal(protocol, 'portforward.k8s.io');
		return new SpdyClient(socket);
	}
	async function throughWebSocket(): Promise<SpdyClient> {
		const protocol = 'SPDY/3.1+portforward.k8s.io';
		// ws knows that "/" is not allowed in the name of a protocol; Kubernetes does not.
		const headers = { 'sec-websocket-protocol': protocol };
		const socket = new WebSocket((await urlOf()).replace('http', 'ws'), { headers });
		socket.on('upgrade', (response) => {
			assert.equal(response.headers['sec-websocket-protocol'], protocol);
			delete response.headers['sec-websocket-protocol'];
		});
		await once(socket, 'open');
		return new SpdyClient(createWebSocketStream(socket) as unknown as Socket);
	}
	let requests = 0;
	async function open(client: SpdyClient, port: number) {
		requests += 1;
		const headers = { port: String(port), requestid: String(requests) };
		const error = await client.open({ streamtype: 'error', ...headers });
		error.end();
		return { error, data: await client.open({ streamtype: 'data', ...headers }) };
	}

	for (const [name, connect] of Object.entries({
		'over SPDY': overSpdy,
		'through a WebSocket': throughWebSocket,
	}))
		it(`${name}: many connections, and one to a port where nobody listens, which harms no other`, async () => {
			const client = await connect();
			const first = await open(client, 8080);
			const nobody = await open(client, 8081);
			assert.match(await nobody.error.text(), /Cannot forward port 8081 of sandbox .*: nobody listens there/);
			const others = await Promise.all([1, 2, 3, 4, 5].map(() => open(client, 8080)));
			for (const { data, error } of [first, ...others]) {
				data.write('hello '.repeat(20_000));
				data.end();
				assert.equal(await data.text(), 'hello '.repeat(20_000));
				assert.equal(await error.text(), '');
			}
			client.socket.destroy();
		});

	it('over channels: one connection for each port of the request', async () => {
		const socket = new WebSocket((await urlOf([8080, 8081])).replace('http', 'ws'), 'v4.channel.k8s.io');
		const channels = ['', '', '', ''];
		socket.on('message', (message: Buffer) => {
			channels[message[0] ?? 0] += message.toString('latin1', 1);
		});
		await once(socket, 'open');
		const comes = (channel: number, expected: string) =>
			until(`${expected} comes on ${channel}`, () => channels[channel]?.startsWith(expected) === true);
		socket.send(Buffer.from('\0hello'));
		socket.send(Buffer.from(`\0${'x'.repeat(100_000)}`));
		// First the port, little endian: 8080 is 0x1f90, 8081 0x1f91.
		await comes(0, `\x90\x1fhello${'x'.repeat(100_000)}`);
		await comes(1, '\x90\x1f');
		await comes(2, '\x91\x1f');
		await comes(3, '\x91\x1fCannot forward port 8081 ');
		socket.terminate();
	});

	it('over channels: refuses more ports than there are channels, and the URL stays good', async () => {
		const url = (await urlOf([1, 2, 3, 4, 5, 6])).replace('http', 'ws');
		const refused = new WebSocket(url, 'v4.base64.channel.k8s.io');
		const [, response] = await once(
			refused.on('error', () => {}),
			'unexpected-response',
		);
		assert.equal(response.statusCode, 400);
		assert.match((await response.toArray()).join(''), /unable to forward 6 ports .* suffice for 5/);
		const socket = new WebSocket(url, 'v4.channel.k8s.io');
		await once(socket, 'open');
		socket.terminate();
	});

	it('reaches a pod with the network of the node', async () => {
		const hostPod = await bed.runPod({
			linux: { security_context: { namespace_options: { network: 'NODE' } } },
		});
		const server = createServer((socket) => socket.on('error', () => {}).end('of the node')).listen(
			0,
			'127.0.0.1',
		);
		await once(server, 'listening');
		const { port } = server.address() as { port: number };
		const { url } = await bed.cri.PortForward({ pod_sandbox_id: hostPod });
		const client = new SpdyClient((await upgradeToSpdy(url, ['portforward.k8s.io'])).socket);
		const { data } = await open(client, port);
		assert.equal(await data.text(), 'of the node');
		client.socket.destroy();
		server.close();
	});

	it('refuses ports that are none, and sandboxes that are not ready', async () => {
		const ask = (request: object) => failureOf(bed.cri.PortForward({ pod_sandbox_id: pod, ...request }));
		assert.match((await ask({ port: [80, 70_000] })).message, /port 70000 is not between 1 and 65535/);
		assert.equal((await ask({ pod_sandbox_id: 'none' })).condition, 'NOT_FOUND');
		const other = await bed.runPod();
		await bed.cri.StopPodSandbox({ pod_sandbox_id: other });
		const stopped = await ask({ pod_sandbox_id: other });
		assert.equal(stopped.condition, 'FAILED_PRECONDITION');
		assert.match(stopped.message, /it is notready/);
	});

	it('ends when the sandbox is removed, with what was under way', async () => {
		const other = await bed.runPod();
		await bed.run(other, { command: ['sh', '-c', SERVER] });
		const { url } = await bed.cri.PortForward({ pod_sandbox_id: other });
		const client = new SpdyClient((await upgradeToSpdy(url, ['portforward.k8s.io'])).socket);
		const listening = async () => {
			const { data, error } = await open(client, 8080);
			data.write('x');
			await Promise.race([
				error.ended.promise,
				until('an answer', () => data.received === 'x').catch(() => {}),
			]);
			return data.received === 'x' ? data : undefined;
		};
		let data = await listening();
		while (data === undefined) data = await listening();
		await bed.cri.RemovePodSandbox({ pod_sandbox_id: other });
		await data.ended.promise;
		const late = await open(client, 8080);
		assert.match(await late.error.text(), /there is none|its shim is gone/);
		client.socket.destroy();
	});
});
