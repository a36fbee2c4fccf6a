import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { decodeBody, encodeBody } from '../../runtime/shim/codec.ts';
import { HOOK, temporaryFolder } from './launcher.ts';
import { linkHeader, message, messagesOf, NLM_F, RTM, step, testNamespace, textOf } from './netlink.ts';

const state = (pid: unknown, rest: object = {}): string =>
	JSON.stringify({ ociVersion: '1.2.0', id: 'x', status: 'created', ...rest, pid, bundle: '/b' });
const hook = (input: string, ...args: string[]) => {
	const { status, stderr } = spawnSync(HOOK, args, { input });
	return { status, stderr: stderr.toString() };
};
const links = step('list links', { ns: 1, messages: message(RTM.GETLINK, NLM_F.DUMP, linkHeader()) });
const up = step('bring up loopback', {
	ns: 1,
	messages: message(RTM.NEWLINK, NLM_F.ACK, linkHeader(1, 1, 1)),
});

/** A process in a network namespace of its own. */
function inNamespace(name: string): Disposable & { pid: number } {
	const namespace = testNamespace(name);
	const child = spawn('ip', ['netns', 'exec', name, 'sleep', '1000'], { stdio: 'ignore' });
	return {
		pid: child.pid ?? 0,
		[Symbol.dispose]: () => {
			child.kill('SIGKILL');
			namespace[Symbol.dispose]();
		},
	};
}

test('apply carries out a plan in the namespace of the state and writes the result', async () => {
	using folder = temporaryFolder();
	using process_ = inNamespace(`gnh${process.pid % 100_000}`);
	const [plan, result] = [join(folder.path, 'plan'), join(folder.path, 'result')];
	while (!readFileSync(`/proc/${process_.pid}/comm`, 'utf8').startsWith('sleep'))
		await new Promise((resolve) => setTimeout(resolve, 5));
	writeFileSync(plan, encodeBody('NET_APPLY', { netns_path: '', steps: [up, links] }));
	const annotations = { 'a"pid":1,': '{"pid": 1, \\"pid\\": 1}', pid: '7', 'x\\': '"' };
	assert.deepEqual(hook(state(process_.pid, { annotations, list: [{ pid: 3 }] }), 'apply', plan, result), {
		status: 0,
		stderr: '',
	});
	const { results } = decodeBody('NET_APPLIED', readFileSync(result));
	const names = messagesOf(results[1]?.reply ?? new Uint8Array()).map(({ payload }) =>
		textOf(payload, 16, 3),
	);
	assert.ok(names.includes('lo') && !names.includes('eth0'), names.join(' '));
	assert.deepEqual(readdirSync(folder.path).sort(), ['plan', 'result']);
});

test('a failing step is told in one sentence, and no result is written', () => {
	using folder = temporaryFolder();
	using process_ = inNamespace(`gnh${process.pid % 100_000}`);
	const [plan, result] = [join(folder.path, 'plan'), join(folder.path, 'result')];
	const bad = step('delete the link', { ns: 1, messages: message(RTM.DELLINK, NLM_F.ACK, linkHeader(9999)) });
	writeFileSync(plan, encodeBody('NET_APPLY', { netns_path: '', steps: [up, bad] }));
	const { status, stderr } = hook(state(process_.pid), 'apply', plan, result);
	assert.equal(status, 1);
	assert.match(stderr, /^gantry-hook: step 2 of 2, delete the link: .*: ENODEV\n$/);
	assert.deepEqual(readdirSync(folder.path), ['plan']);
});

test('apply-host needs no process', () => {
	using folder = temporaryFolder();
	const [plan, result] = [join(folder.path, 'plan'), join(folder.path, 'result')];
	writeFileSync(plan, encodeBody('NET_APPLY', { netns_path: '', steps: [{ ...links, ns: 0 }] }));
	assert.deepEqual(hook(state(0, { status: 'stopped' }), 'apply-host', plan, result), {
		status: 0,
		stderr: '',
	});
	assert.equal(decodeBody('NET_APPLIED', readFileSync(result)).results.length, 1);
	writeFileSync(plan, encodeBody('NET_APPLY', { netns_path: '', steps: [links] }));
	assert.equal(hook(state(0), 'apply-host', plan, result).status, 1);
});

test('states without a plain pid are refused', () => {
	using folder = temporaryFolder();
	const plan = join(folder.path, 'plan');
	writeFileSync(plan, encodeBody('NET_APPLY', { netns_path: '', steps: [] }));
	const states = [
		'',
		'nonsense',
		'[]',
		'{}',
		'{"pid"',
		'{"pid":',
		'{"pid":1',
		state('1'),
		state(-1),
		state(1.5),
		state(1e12),
		state(null),
		'{"pid":1,"pid":2}',
		'{"x":"\\"pid\\":1"}',
		'{"a":{"pid":1}}',
		'{"pid":01}',
		'{"pid":1]',
	];
	for (const text of states) {
		const { status, stderr } = hook(text, 'apply', plan, join(folder.path, 'result'));
		assert.equal(status, 1, text);
		assert.match(stderr, /^gantry-hook: .*\n$/, text);
	}
	assert.ok(!existsSync(join(folder.path, 'result')));
});

test('plans that are none, and files that are not there, are told apart', () => {
	using folder = temporaryFolder();
	const plan = join(folder.path, 'plan');
	assert.match(
		hook(state(process.pid), 'apply', plan, plan).stderr,
		/cannot read the network plan .*plan: ENOENT/,
	);
	writeFileSync(plan, 'nonsense');
	assert.match(hook(state(process.pid), 'apply', plan, plan).stderr, /is no network plan/);
	writeFileSync(plan, encodeBody('NET_APPLY', { netns_path: '', steps: [] }));
	assert.match(
		hook(state(process.pid), 'apply', plan, '/nowhere/result').stderr,
		/cannot write the result \/nowhere\/result: ENOENT/,
	);
	assert.match(
		hook(state(99_999_999), 'apply', plan, plan).stderr,
		/cannot open the network namespace of process 99999999: ENOENT/,
	);
	assert.equal(hook(state(1), 'nonsense').status, 2);
	assert.equal(hook(state(1)).status, 2);
});

test('ask: one line to the daemon, one back', async () => {
	using folder = temporaryFolder();
	const path = join(folder.path, 'hook.sock');
	const answers = ['ok\n', 'error No address is free in 10.9.0.0/24\n', 'what?\n', '', 'o'];
	const heard: string[] = [];
	const server = createServer((socket) => {
		socket.once('data', (data) => {
			heard.push(data.toString());
			const answer = answers[heard.length - 1] ?? '';
			if (answer.endsWith('\n')) socket.write(answer);
			else socket.end(answer);
		});
		socket.on('error', () => undefined);
	});
	server.unref();
	server.listen(path);
	await once(server, 'listening');
	const ask = async (): Promise<{ status: number; stderr: string }> => {
		const child = spawn(HOOK, ['ask', path, 'attach', 'token-1']);
		child.stdin.end(state(42));
		let stderr = '';
		child.stderr.on('data', (data: Buffer) => {
			stderr += data;
		});
		const [status] = (await once(child, 'close')) as [number];
		return { status, stderr };
	};
	assert.deepEqual(await ask(), { status: 0, stderr: '' });
	assert.deepEqual(await ask(), { status: 1, stderr: 'No address is free in 10.9.0.0/24\n' });
	assert.match((await ask()).stderr, /neither ok nor an error/);
	assert.match((await ask()).stderr, /closed the connection before it answered/);
	assert.match((await ask()).stderr, /closed the connection before it answered/);
	assert.deepEqual([...new Set(heard)], ['attach token-1 42\n']);
	server.close();
	await once(server, 'close');
	const late = await ask();
	assert.equal(late.status, 1);
	assert.match(late.stderr, /cannot reach gantryd at .*hook\.sock: ENOENT/);
	assert.match(hook(state(1), 'ask', path, 'two words', 'x').stderr, /space/);
});
