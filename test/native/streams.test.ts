import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import type { Message, Op } from '../../runtime/shim/codec.ts';
import { CONSTANTS, OPS } from '../../runtime/shim/schema.ts';
import { CLONE, type Connection, execPlan, Fixture, plan } from './support.ts';

const { EXEC_KILL_ON_CLOSE, EXEC_STDIN, EXEC_TERMINAL, STREAM_STDERR, STREAM_STDOUT } = CONSTANTS;
let shim: Fixture;
before(async () => {
	shim = await Fixture.open();
	await shim.create('box', plan({ rootfs: shim.rootfs, id: 'box', argv: ['sh', '-c', 'sleep 1000 & wait'] }));
	await shim.start('box');
});
after(() => shim.close());

const pause = () => new Promise((resolve) => setTimeout(resolve, 5));
const terminal: Op = { op: 'terminal', columns: 80, rows: 25, console: 0 };
const exec = (argv: readonly string[], options: Partial<Message<'EXEC'>> = {}, more: readonly Op[] = []) =>
	shim.exec('box', 'e', execPlan('box', argv, more), options);
const exitOf = (connection: Connection) => connection.exited('e');

test('exec: both streams, the exit code, the container namespaces and cgroups', async () => {
	const connection = await exec([
		'sh',
		'-c',
		'echo out; echo err >&2; hostname; cat /proc/self/cgroup; ls /proc | grep -c "^[0-9]"; exit 9',
	]);
	const exit = await exitOf(connection);
	assert.deepEqual([exit.exit_code, exit.signal, exit.timed_out], [9, 0, 0]);
	assert.match(connection.output(STREAM_STDOUT), /^out\n/);
	assert.match(connection.output(STREAM_STDOUT), /pids:\/$/m);
	assert.equal(connection.output(STREAM_STDERR), 'err\n');
	await connection.until(() => connection.closed || undefined);
});

test('exec of what is not there', async () => {
	await assert.rejects(exec(['nonesuch']), { errno: 2, op: OPS.exec.code });
	await assert.rejects(shim.exec('none', 'e', execPlan('box', ['true'])), { errno: 2 });
	await assert.rejects(
		shim.exec(
			'box',
			'e',
			execPlan('box', ['true']).map((op) =>
				op.op === 'spawn' ? { ...op, joins: [{ type: CLONE.NET, path: '', of: 'elsewhere' }] } : op,
			),
		),
		{
			errno: 3,
			op: OPS.spawn.code,
		},
	);
	await assert.rejects(exec(['true'], {}, [{ op: 'working_folder', path: '/nonesuch', create: 0 }]), {
		errno: 2,
		op: OPS.working_folder.code,
	});
});

test('exec: stdin until it is closed', async () => {
	const connection = await exec(['cat'], { flags: EXEC_STDIN });
	connection.send('STDIN', { data: Buffer.from('hello ') });
	connection.send('STDIN', { data: Buffer.from('there') });
	connection.send('CLOSE_STDIN', {});
	assert.equal((await exitOf(connection)).exit_code, 0);
	assert.equal(connection.output(STREAM_STDOUT), 'hello there');
});

test('exec: more stdin and output than any buffer holds', async () => {
	const connection = await exec(['cat'], { flags: EXEC_STDIN });
	const data = Buffer.alloc(3 * 1024 * 1024, 'abcdefg\n');
	for (let at = 0; at < data.length; at += 32768)
		connection.send('STDIN', { data: data.subarray(at, at + 32768) });
	connection.send('CLOSE_STDIN', {});
	await exitOf(connection);
	assert.equal(connection.output(STREAM_STDOUT), data.toString());
});

test('exec: a slow reader slows the process, not our memory', async () => {
	const residentKib = () =>
		Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${shim.shimPid}/status`, 'utf8'))?.[1]);
	const before = residentKib();
	const connection = await exec(['sh', '-c', 'yes | head -c 20000000']);
	connection.pause();
	for (let i = 0; i < 20; i++) await pause();
	const now = residentKib();
	assert.ok(now - before < 3000, `${before} KiB before, ${now} KiB now`);
	connection.resume();
	await exitOf(connection);
	assert.equal(connection.output(STREAM_STDOUT).length, 20000000);
});

test('exec: what has ended is told whole, also to a reader slower than drain_ms', async () => {
	const connection = await exec(['sh', '-c', 'yes | head -c 900000'], { drain_ms: 10 });
	connection.pause();
	for (let i = 0; i < 20; i++) await pause();
	connection.resume();
	await exitOf(connection);
	assert.equal(connection.output(STREAM_STDOUT).length, 900000);
});

test('exec: at the deadline everything that it started is killed', async () => {
	const connection = await exec(['sh', '-c', 'setsid sleep 333 & sleep 333 & echo $$; wait'], {
		timeout_ms: 100,
		drain_ms: 2000,
	});
	const exit = await exitOf(connection);
	assert.deepEqual([exit.timed_out, exit.signal], [1, 9]);
	const processes = await exec(['ps', '-o', 'args']);
	await exitOf(processes);
	assert.ok(!processes.output(STREAM_STDOUT).includes('333'), processes.output(STREAM_STDOUT));
});

test('exec: a background process that keeps the pipes is waited for only drain_ms', async () => {
	const connection = await exec(['sh', '-c', 'sleep 3 & echo done'], { drain_ms: 50 });
	assert.equal((await exitOf(connection)).exit_code, 0);
	assert.equal(connection.output(STREAM_STDOUT), 'done\n');
});

test('exec: killed when its connection closes, or not, as asked', async () => {
	const running = async () => {
		const connection = await exec(['ps', '-o', 'args']);
		await exitOf(connection);
		return connection.output(STREAM_STDOUT);
	};
	const kill = await exec(['sleep', '444'], { flags: EXEC_KILL_ON_CLOSE });
	const keep = await exec(['sleep', '0.3']);
	kill.close();
	keep.close();
	while ((await running()).includes('444')) await pause();
	assert.ok((await running()).includes('sleep 0.3'));
	while ((await running()).includes('sleep 0.3')) await pause();
});

test('exec: a terminal, its size, and its resize', async () => {
	const connection = await exec(
		['sh', '-c', 'tty; stty size; read line; stty size; echo "got $line"'],
		{ flags: EXEC_TERMINAL },
		[terminal],
	);
	await connection.until(() => connection.output(STREAM_STDOUT).includes('25 80') || undefined);
	await connection.call('RESIZE', { id: '', columns: 100, rows: 40 }, 'OK');
	connection.send('STDIN', { data: Buffer.from('word\n') });
	assert.equal((await exitOf(connection)).exit_code, 0);
	assert.equal(connection.output(STREAM_STDOUT), '/dev/pts/0\r\n25 80\r\nword\r\n40 100\r\ngot word\r\n');
});

test('exec: no descriptor of ours is open in the program', async () => {
	const connection = await exec(['ls', '/proc/self/fd']);
	await exitOf(connection);
	assert.equal(connection.output(STREAM_STDOUT), '0\n1\n2\n3\n'); // 3: ls reads the folder
});

test('attach: a copy from now on, the log has all, the exit comes last', async () => {
	await shim.create(
		'cat',
		plan({
			rootfs: shim.rootfs,
			id: 'cat',
			argv: ['sh', '-c', 'echo early; while read line; do echo "<$line>"; echo e >&2; done; exit 6'],
		}),
		{ stdin: 1 },
	);
	await shim.start('cat');
	while (!shim.log('cat').includes('early')) await pause();
	const one = await shim.dial();
	const two = await shim.dial();
	await one.call('ATTACH', { id: 'cat', stdin: 1, stdout: 1, stderr: 0 }, 'OK');
	await two.call('ATTACH', { id: 'cat', stdin: 0, stdout: 1, stderr: 1 }, 'OK');
	one.send('STDIN', { data: Buffer.from('first\n') });
	await two.until(() => two.output(STREAM_STDERR) === 'e\n' || undefined);
	one.close();
	const three = await shim.dial();
	await three.call('ATTACH', { id: 'cat', stdin: 1, stdout: 1, stderr: 1 }, 'OK');
	three.send('STDIN', { data: Buffer.from('second\n') });
	three.send('CLOSE_STDIN', {});
	assert.equal((await three.exited('cat')).exit_code, 6);
	assert.equal(three.output(STREAM_STDOUT), '<second>\n');
	await two.exited('cat');
	assert.equal(two.output(STREAM_STDOUT), '<first>\n<second>\n');
	assert.equal(shim.log('cat').match(/stdout F/g)?.length, 3);
	await assert.rejects((await shim.dial()).ask('ATTACH', { id: 'cat', stdin: 0, stdout: 1, stderr: 1 }), {
		errno: 3,
	});
	await shim.delete('cat');
});

test('attach: stdin_once ends stdin with the first client', async () => {
	await shim.create('once', plan({ rootfs: shim.rootfs, id: 'once', argv: ['cat'] }), {
		stdin: 1,
		stdin_once: 1,
	});
	await shim.start('once');
	const client = await shim.dial();
	await client.call('ATTACH', { id: 'once', stdin: 1, stdout: 1, stderr: 0 }, 'OK');
	client.send('STDIN', { data: Buffer.from('x\n') });
	await client.until(() => client.output(STREAM_STDOUT) === 'x\n' || undefined);
	client.close();
	assert.equal((await shim.control.exited('once')).exit_code, 0);
	await shim.delete('once');
});

test('attach to a container without stdin, or to none', async () => {
	await assert.rejects((await shim.dial()).ask('ATTACH', { id: 'box', stdin: 1, stdout: 1, stderr: 1 }), {
		errno: 22,
	});
	await assert.rejects((await shim.dial()).ask('ATTACH', { id: 'none', stdin: 0, stdout: 1, stderr: 1 }), {
		errno: 2,
	});
	await assert.rejects(shim.control.ask('RESIZE', { id: 'box', columns: 1, rows: 1 }), { errno: 25 });
});

test('attach: a client that reads nothing holds up the output, and leaving lets it go on', async () => {
	await shim.create(
		'slow',
		plan({ rootfs: shim.rootfs, id: 'slow', argv: ['sh', '-c', 'read go; seq 1 500000'] }),
		{ stdin: 1 },
	);
	await shim.start('slow');
	const client = await shim.dial();
	await client.call('ATTACH', { id: 'slow', stdin: 1, stdout: 1, stderr: 1 }, 'OK');
	client.pause();
	client.send('STDIN', { data: Buffer.from('\n') });
	for (let i = 0; i < 40; i++) await pause();
	assert.ok(shim.log('slow').length < 20_000_000);
	client.close();
	assert.equal((await shim.control.exited('slow')).exit_code, 0);
	assert.ok(shim.log('slow').endsWith(' 500000\n'));
	await shim.delete('slow');
});

test('a container with a terminal: console, log and attach', async () => {
	const script = 'tty; test -c /dev/console && echo console; stty size; read line; echo "[$line]"; exit 8';
	await shim.create(
		'tty',
		plan({
			rootfs: shim.rootfs,
			id: 'tty',
			argv: ['sh', '-c', script],
			inside: [{ ...terminal, console: 1 } as Op],
		}),
		{ terminal: 1, stdin: 1 },
	);
	await shim.start('tty');
	while (!shim.log('tty').includes('25 80')) await pause();
	const client = await shim.dial();
	await client.call('ATTACH', { id: 'tty', stdin: 1, stdout: 1, stderr: 1 }, 'OK');
	await shim.control.call('RESIZE', { id: 'tty', columns: 10, rows: 5 }, 'OK');
	client.send('STDIN', { data: Buffer.from('typed\n') });
	assert.equal((await client.exited('tty')).exit_code, 8);
	assert.equal(client.output(STREAM_STDOUT), 'typed\r\n[typed]\r\n');
	assert.deepEqual(shim.log('tty').replaceAll(/^\S+ /gm, '').split('\n').slice(0, 3), [
		'stdout F /dev/pts/0\r',
		'stdout F console\r',
		'stdout F 25 80\r',
	]);
	await shim.delete('tty');
});

test('nothing but the container is left', () => assert.equal(shim.children().length, 1));
