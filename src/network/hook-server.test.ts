import assert from 'node:assert/strict';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text as readAll } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { silentLog } from '#base/log.ts';
import { HookServer } from './hook-server.ts';

let folder: string;
let server: HookServer;
before(async () => {
	folder = await mkdtemp(join(tmpdir(), 'gantry-hook-'));
	await writeFile(join(folder, 'hook.sock'), 'left by a daemon that was killed');
	server = new HookServer(join(folder, 'hook.sock'), silentLog);
	await server.listen();
});
after(async () => {
	await server.close();
	await rm(folder, { recursive: true });
});

const ask = (...parts: string[]): Promise<string> =>
	new Promise((resolve, reject) => {
		let answer = '';
		const socket = connect(server.path);
		socket.on('data', (chunk) => {
			answer += chunk;
		});
		socket.on('close', () => resolve(answer));
		socket.on('error', reject);
		const next = () => {
			const part = parts.shift();
			if (part !== undefined) socket.write(part, () => setImmediate(next));
		};
		next();
	});

test('a request reaches the handler of its token, also in pieces, and its error comes back on one line', async () => {
	const calls: unknown[] = [];
	server.register('secret', async (verb, pid) => {
		calls.push([verb, pid]);
		if (verb === 'bad') throw new Error('first line\nsecond line');
	});
	assert.equal(await ask('add secret 42\n'), 'ok\n');
	assert.equal(await ask('de', 'l sec', 'ret 0\n'), 'ok\n');
	assert.equal(await ask('bad secret 42\n'), 'error first line second line\n');
	assert.deepEqual(calls, [
		['add', 42],
		['del', 0],
		['bad', 42],
	]);
});

test('an unknown token gets nothing done; taking off what is off is fine', async () => {
	assert.match(await ask('add guess 42\n'), /^error the daemon does not know/);
	assert.equal(await ask('del guess 0\n'), 'ok\n');
	server.register('gone', async () => assert.fail('forgotten'));
	server.forget('gone');
	assert.match(await ask('add gone 1\n'), /^error/);
});

test('what is no request is refused, also when it never ends', async () => {
	for (const line of ['\n', 'add\n', 'add secret x\n', 'add secret 1 2\n', 'x'.repeat(5000)])
		assert.match(await ask(line), /^error/);
});

test('whoever ends before the end of the line is answered, and let go', async () => {
	const socket = connect(server.path);
	socket.end('add secret');
	assert.match(await readAll(socket), /^error this is no request/);
});

test('only root may ask, and closing cuts off whoever waits', async () => {
	assert.equal((await stat(server.path)).mode & 0o777, 0o600);
	const never = Promise.withResolvers<void>();
	server.register('slow', () => never.promise);
	const asked = ask('add slow 1\n');
	await new Promise((resolve) => setTimeout(resolve, 50));
	await server.close();
	assert.equal(await asked, '');
});
