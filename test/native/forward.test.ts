/** FORWARD as the protocol has it: what is refused, and what ends the connection. What is carried: test/runtime. */
import assert from 'node:assert/strict';
import { readlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { constants } from 'node:os';
import { after, before, test } from 'node:test';
import { CLONE, Fixture, plan } from './support.ts';

const { EBUSY, ECONNREFUSED, EINVAL, ENETUNREACH, ENOENT } = constants.errno;
let shim: Fixture;
before(async () => {
	shim = await Fixture.open();
	const namespaces = CLONE.NEWNS | CLONE.PID | CLONE.NET;
	await shim.create('box', plan({ rootfs: shim.rootfs, id: 'box', argv: ['sleep', '1000'], namespaces }));
	await shim.start('box');
});
after(() => shim.close());

test('containers and ports that are none', async () => {
	const connection = await shim.dial();
	const ask = (id: string, port: number) => connection.call('FORWARD', { id, port }, 'OK');
	await assert.rejects(ask('none', 80), { errno: ENOENT });
	await assert.rejects(ask('box', 0), { errno: EINVAL });
	await assert.rejects(ask('box', 65536), { errno: EINVAL });
	connection.close();
});

test('a namespace whose loopback is down, and one without a listener; then the connection may ask again', async () => {
	const connection = await shim.dial();
	const ask = () => connection.call('FORWARD', { id: 'box', port: 80 }, 'OK');
	for (let times = 0; times < 2; times++)
		await assert.rejects(ask(), ({ errno }) => errno === ENETUNREACH || errno === ECONNREFUSED);
	connection.close();
});

test('the shim stays in its own namespace: what it starts afterwards is there', async () => {
	assert.equal(readlinkSync(`/proc/${shim.shimPid}/ns/net`), readlinkSync('/proc/self/ns/net'));
	const host = plan({
		rootfs: shim.rootfs,
		id: 'host',
		argv: ['readlink', '/proc/self/ns/net'],
		namespaces: CLONE.NEWNS | CLONE.PID,
	});
	await shim.run('host', host);
	assert.match(shim.log('host'), new RegExp(readlinkSync('/proc/self/ns/net').replace(/[[\]]/g, '\\$&')));
});

test('one connection carries one forward, exec or attach; input of a forward that is closed ends it', async () => {
	const server = createServer((socket) => void socket.on('error', () => {}).resume());
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
	const { port } = server.address() as { port: number };
	const host = plan({
		rootfs: shim.rootfs,
		id: 'node',
		argv: ['sleep', '1000'],
		namespaces: CLONE.NEWNS | CLONE.PID,
	});
	await shim.create('node', host);
	const connection = await shim.dial();
	await connection.call('FORWARD', { id: 'node', port }, 'OK');
	await assert.rejects(connection.call('FORWARD', { id: 'node', port }, 'OK'), { errno: EBUSY });
	const attach = { id: 'node', stdin: 0, stdout: 1, stderr: 1 };
	await assert.rejects(connection.call('ATTACH', attach, 'OK'), { errno: EBUSY });
	connection.send('STDIN', { data: Buffer.from('x') });
	await connection.call('CLOSE_STDIN', {}, 'OK');
	connection.send('STDIN', { data: Buffer.from('after its end') });
	await connection.until(() => connection.closed || undefined);
	await new Promise((resolve) => server.close(resolve));
});
