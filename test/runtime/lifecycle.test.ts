import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { checkProcess, readExitRecord, readTeardown, type Shim } from '#runtime';
import { drain, Machine, until } from './machine.ts';

let machine: Machine;
let shim: Shim;
before(async () => {
	machine = await Machine.open();
	shim = await machine.shim();
});
after(async () => {
	await machine?.[Symbol.asyncDispose]();
});

test('create, start, exit, delete: states, log, exit record, and nothing left', async () => {
	const made = await machine.create(shim, machine.spec('echo out; echo err >&2; exit 7'));
	const [created] = await shim.list();
	assert.equal(created?.phase, 'created');
	assert.ok(created !== undefined && (await checkProcess(created.process)));
	const { startedAtNs } = await shim.start(made.id);
	const exit = await made.exit;
	assert.deepEqual([exit.exitCode, exit.signal], [7, 0]);
	assert.ok(exit.exitedAtNs > startedAtNs);
	assert.deepEqual(await made.log(), { stdout: 'out\n', stderr: 'err\n' });
	assert.deepEqual(await readExitRecord(dirname(made.options.bundle)), exit);
	const [stopped] = await shim.list();
	assert.deepEqual([stopped?.phase, stopped?.exit], ['stopped', exit]);
	shim.writePlans();
	const plan = await readFile(join(made.options.bundle, 'plan.txt'), 'utf8');
	assert.match(plan, /\d+ {2}mount proc at \/proc .* µs\n/);
	assert.deepEqual(await shim.delete(made.id), { hookError: '' });
	assert.deepEqual(await shim.list(), []);
	assert.deepEqual(await machine.leftovers(), []);
});

test('delete of what runs kills it; delete of what is gone is fine', async () => {
	const made = await machine.idle(shim);
	await shim.delete(made.id);
	assert.equal((await made.exit).signal, 9);
	await shim.delete(made.id);
	await shim.delete('never-was');
});

test('a container that was never started can be deleted', async () => {
	const made = await machine.create(shim, machine.spec('true'));
	await shim.delete(made.id);
	assert.deepEqual(await shim.list(), []);
});

test('kill: a signal reaches the process, all of them with `all`, and a stopped container is fine', async () => {
	const trap = await machine.create(
		shim,
		machine.spec('trap "echo got; exit 3" TERM; echo up; while :; do sleep 0.05; done'),
	);
	await shim.start(trap.id);
	await until('the trap is set', async () => (await trap.log()).stdout.includes('up'));
	await shim.kill(trap.id, 15);
	assert.equal((await trap.exit).exitCode, 3);
	assert.equal((await trap.log()).stdout, 'up\ngot\n');
	await shim.kill(trap.id, 15);
	await shim.delete(trap.id);
	const idle = await machine.idle(shim);
	await shim.kill(idle.id, 9, { all: true });
	assert.deepEqual([(await idle.exit).signal, (await idle.exit).exitCode], [9, 137]);
	await shim.delete(idle.id);
});

test('the wrong state and unknown containers', async () => {
	const idle = await machine.idle(shim);
	await assert.rejects(shim.start(idle.id), { condition: 'FAILED_PRECONDITION', message: /it is running/ });
	await assert.rejects(shim.shutdown(), { condition: 'FAILED_PRECONDITION', message: /it has containers/ });
	await assert.rejects(machine.create(shim, idle.options.spec, { id: idle.id }), {
		condition: 'ALREADY_EXISTS',
	});
	assert.equal((await shim.list())[0]?.phase, 'running');
	await shim.delete(idle.id);
	await assert.rejects(shim.start('nobody'), { condition: 'NOT_FOUND', message: /no such container/ });
	await assert.rejects(shim.kill('nobody', 9), { condition: 'NOT_FOUND' });
});

for (const [args, condition, message] of [
	[['nothing-here'], 'NOT_FOUND', /exec: "nothing-here": executable file not found in \$PATH/],
	[['/bin/nothing'], 'NOT_FOUND', /exec: "\/bin\/nothing": stat \/bin\/nothing: no such file or directory/],
	[['/etc/passwd'], 'PERMISSION_DENIED', /exec: "\/etc\/passwd": permission denied/],
	[['/etc'], 'PERMISSION_DENIED', /exec: "\/etc"/],
] as const) {
	test(`a program that cannot run: ${args[0]}`, async () => {
		const made = await machine.create(shim, machine.spec('', { process: { args } }));
		await assert.rejects(shim.start(made.id), { condition, message });
		await shim.delete(made.id);
		const idle = await machine.idle(shim);
		await assert.rejects(machine.exec(idle, args), { condition, message });
		await shim.delete(idle.id);
	});
}

test('a create that fails names the step and leaves nothing', async () => {
	const spec = machine.spec('true', {
		mounts: [{ destination: '/x', source: '/nowhere', options: ['bind'] }],
	});
	await assert.rejects(machine.create(shim, spec), {
		condition: 'INTERNAL',
		message: /cannot bind \/nowhere at \/x: .*ENOENT \(step \d+ of \d+\)/,
	});
	assert.deepEqual(await shim.list(), []);
	assert.deepEqual(await machine.leftovers(), []);
});

test('a create that nobody waits for any more is taken back', async () => {
	const abort = new AbortController();
	const hook = { path: '/bin/sleep', args: ['sleep', '1000'] };
	const creating = machine.create(shim, machine.spec('true', { hooks: { createRuntime: [hook] } }), {
		signal: abort.signal,
	});
	setTimeout(() => abort.abort(), 100);
	await assert.rejects(creating, { condition: 'CANCELLED' });
	assert.deepEqual(await shim.list(), []);
	assert.deepEqual(await machine.leftovers(), []);
});

test('a container whose making hangs can be deleted by another daemon', async () => {
	const hangs = join(machine.folder, 'hangs');
	const hook = { path: '/bin/sh', args: ['sh', '-c', `touch ${hangs}; sleep 100`], timeout: 100 };
	const own = await machine.shim();
	const spec = machine.spec('true', { hooks: { createRuntime: [hook] } });
	const failed = assert.rejects(machine.create(own, spec, { id: 'hangs' }));
	await until('the hook runs', () => existsSync(hangs));
	const other = await machine.connect(join(machine.folder, `${own.sandboxId}.sock`), own.process);
	await other.delete('hangs');
	await failed;
	assert.deepEqual(await other.list(), []);
	assert.deepEqual(await machine.leftovers(), []);
});

test('exec: streams, stdin, exit code, environment, and the user of the container', async () => {
	const idle = await machine.idle(shim, { process: { user: { uid: 12, gid: 34, additionalGids: [56] } } });
	const plain = await machine.exec(idle, ['sh', '-c', 'id -u; id -G; pwd; echo $A >&2; exit 4'], {
		process: {
			args: ['sh', '-c', 'id -u; id -G; pwd; echo $A >&2; exit 4'],
			cwd: '/tmp',
			env: ['PATH=/bin', 'A=b'],
		},
	});
	assert.deepEqual([plain.stdout, plain.stderr, plain.exitCode], ['12\n34 56\n/tmp\n', 'b\n', 4]);
	await using stream = await shim.exec({
		containerId: idle.id,
		execId: 'in',
		spec: idle.options.spec,
		process: { args: ['wc', '-c'] },
		stdin: true,
	});
	await stream.write(Buffer.alloc(3_000_000, 'x'));
	await stream.closeStdin();
	assert.equal((await drain(stream)).stdout.trim(), '3000000');
	await shim.delete(idle.id);
});

test('exec: large output arrives whole, a timeout kills, an abort kills when asked to', async () => {
	const idle = await machine.idle(shim);
	const large = await machine.exec(idle, ['sh', '-c', 'head -c 5000000 /dev/zero']);
	assert.equal(large.stdout.length, 5_000_000);
	// The timeout counts from the fork: a busy machine takes a while to get to the program.
	const late = await machine.exec(idle, ['sleep', '1000'], { timeoutMs: 2000 });
	assert.deepEqual([late.timedOut, late.signal], [true, 9]);
	const abort = new AbortController();
	await using stream = await shim.exec({
		containerId: idle.id,
		execId: 'x',
		spec: idle.options.spec,
		process: { args: ['sleep', '1234'] },
		killOnClose: true,
		signal: abort.signal,
	});
	const identity = {
		pid: stream.pid,
		startTime: BigInt((await readFile(`/proc/${stream.pid}/stat`, 'utf8')).split(' ')[21] ?? 0),
	};
	abort.abort();
	await assert.rejects(stream.exit, { condition: 'CANCELLED' });
	await until('the process is killed', async () => !(await checkProcess(identity)));
	await shim.delete(idle.id);
});

test('exec needs a container that has not ended', async () => {
	const made = await machine.create(shim, machine.spec('true'));
	assert.equal((await machine.exec(made, ['echo', 'early'])).stdout, 'early\n');
	await shim.start(made.id);
	await made.exit;
	await assert.rejects(machine.exec(made, ['true']), {
		condition: 'FAILED_PRECONDITION',
		message: /it is stopped/,
	});
	await shim.delete(made.id);
	await assert.rejects(machine.exec(made, ['true']), { condition: 'NOT_FOUND' });
});

test('attach reads and writes the container itself', async () => {
	const made = await machine.create(shim, machine.spec('read line; echo "got $line"'), {
		stdin: true,
		stdinOnce: true,
	});
	await using stream = await shim.attach(made.id, { stdin: true, stdout: true, stderr: true });
	await shim.start(made.id);
	await stream.write(Buffer.from('hello\n'));
	const { stdout, exitCode } = await drain(stream);
	assert.deepEqual([stdout, exitCode], ['got hello\n', 0]);
	assert.equal((await made.log()).stdout, 'got hello\n');
	await shim.delete(made.id);
});

test('a terminal: its size, one stream, resize', async () => {
	const made = await machine.create(
		shim,
		machine.spec(
			'tty; stty size; ls -l /dev/console | cut -c1; trap "stty size; exit" WINCH; echo ready; while :; do sleep 0.05; done',
			{
				process: { terminal: true, consoleSize: { width: 90, height: 30 } },
			},
		),
	);
	await shim.start(made.id);
	await until('the trap is set', async () => (await made.log()).stdout.includes('ready'));
	await shim.resize(made.id, 120, 40);
	await made.exit;
	const { stdout, stderr } = await made.log();
	assert.match(stdout, /^\/dev\/(pts\/0|console)\r?\n30 90\r?\n/);
	assert.match(stdout, /40 120\r?\n$/);
	assert.equal(stderr, '');
	await shim.delete(made.id);
	const idle = await machine.idle(shim);
	const inExec = await machine.exec(idle, ['tty'], { terminal: true });
	assert.match(inExec.stdout, /^\/dev\/pts\/0\r\n$/);
	await shim.delete(idle.id);
});

test('a daemon that comes back finds its containers and what ended meanwhile', async () => {
	const other = await machine.shim();
	const made = await machine.idle(other);
	other.disconnect();
	const again = await machine.connect(join(machine.folder, `${other.sandboxId}.sock`), other.process);
	assert.deepEqual(
		(await again.list()).map(({ id, phase }) => [id, phase]),
		[[made.id, 'running']],
	);
	await again.delete(made.id);
	assert.deepEqual(await machine.leftovers(), []);
	const wrong = { pid: other.process.pid, startTime: 1n };
	await assert.rejects(machine.connect(join(machine.folder, `${other.sandboxId}.sock`), wrong), {
		condition: 'FAILED_PRECONDITION',
	});
});

test('teardown by the launcher when the shim was killed', async () => {
	const other = await machine.shim();
	const made = await machine.idle(other, {
		hooks: { poststop: [{ path: '/bin/touch', args: ['touch', join(machine.folder, 'stopped')] }] },
	});
	const [container] = await other.list();
	process.kill(other.process.pid, 'SIGKILL');
	await other.closed;
	await assert.rejects(other.list(), { condition: 'UNAVAILABLE' });
	const teardown = await readTeardown(made.options.bundle, made.options.id);
	assert.ok(teardown !== undefined && container !== undefined);
	assert.equal(await machine.launcher.teardown(teardown), '');
	assert.equal(await checkProcess(container.process), false);
	assert.ok(existsSync(join(machine.folder, 'stopped')));
	assert.deepEqual(await machine.leftovers(), []);
	assert.equal(await machine.launcher.teardown(teardown), '');
});
