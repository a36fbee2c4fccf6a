import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { refused, TestLauncher, temporaryFolder, until } from './launcher.ts';

const SH = '/bin/sh';
const alive = (pid: number): boolean => {
	try {
		return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
	} catch {
		return false;
	}
};
const pidIn = (path: string): number => Number(existsSync(path) ? readFileSync(path, 'utf8') : 0);

test('a program gives its exit code and both outputs', async () => {
	await using launcher = await TestLauncher.start();
	const ran = await launcher.run([SH, '-c', 'echo out; echo err >&2; exit 7']);
	assert.deepEqual([ran.exit_code, ran.signal, ran.timed_out, ran.truncated], [7, 0, 0, 0]);
	assert.deepEqual([ran.out, ran.err], ['out\n', 'err\n']);
});

test('a program that a signal ends tells the signal', async () => {
	await using launcher = await TestLauncher.start();
	const ran = await launcher.run([SH, '-c', 'kill -15 $$']);
	assert.equal(ran.signal, 15);
});

test('stdin, environment and working folder are what was asked for, and nothing else is inherited', async () => {
	await using launcher = await TestLauncher.start();
	const stdin = Buffer.from('x'.repeat(300_000));
	const ran = await launcher.run([SH, '-c', 'wc -c; pwd; echo "$A"; env | wc -l; ls /proc/self/fd | wc -l'], {
		stdin,
		env: ['A=b c', 'PATH=/usr/bin:/bin'],
		cwd: '/usr',
	});
	// `env` shows A, PATH and what the shell adds (PWD); ls has its three streams and the folder it reads.
	assert.deepEqual(ran.out.split('\n').slice(0, 5), ['300000', '/usr', 'b c', '3', '4']);
});

test('output beyond the cap is dropped and said to be', async () => {
	await using launcher = await TestLauncher.start();
	const ran = await launcher.run([SH, '-c', 'head -c 500000 /dev/zero; echo end >&2'], { max_output: 1000 });
	assert.deepEqual([ran.stdout.length, ran.truncated, ran.err, ran.exit_code], [1000, 1, 'end\n', 0]);
});

test('several MiB of output fit one reply', async () => {
	await using launcher = await TestLauncher.start();
	const ran = await launcher.run([SH, '-c', 'head -c 3000000 /dev/zero'], { max_output: 0xffffffff });
	assert.deepEqual([ran.stdout.length, ran.truncated], [3_000_000, 0]);
});

test('the deadline ends the whole process group', async () => {
	await using launcher = await TestLauncher.start();
	using folder = temporaryFolder();
	const file = join(folder.path, 'pid');
	const ran = await launcher.run([SH, '-c', `sleep 1000 & echo $! > ${file}; wait`], { timeout_ms: 300 });
	assert.deepEqual([ran.timed_out, ran.signal], [1, 9]);
	await until(() => !alive(pidIn(file)));
});

test('the deadline ends the call also for a program that cannot die', async () => {
	await using launcher = await TestLauncher.start();
	const v1 = existsSync('/sys/fs/cgroup/freezer');
	const cgroup = join(v1 ? '/sys/fs/cgroup/freezer' : '/sys/fs/cgroup', `frozen-${process.pid}`);
	const [file, frozen, thawed] = v1 ? ['freezer.state', 'FROZEN', 'THAWED'] : ['cgroup.freeze', '1', '0'];
	mkdirSync(cgroup);
	const script = `echo $$ > ${cgroup}/cgroup.procs; echo ${frozen} > ${cgroup}/${file}; sleep 1000`;
	try {
		const ran = await launcher.run([SH, '-c', script], { timeout_ms: 300 });
		assert.equal(ran.timed_out, 1);
	} finally {
		writeFileSync(join(cgroup, file), thawed);
		await until(() => readFileSync(join(cgroup, 'cgroup.procs'), 'utf8') === '');
		rmdirSync(cgroup);
	}
});

test('a program that cannot be executed is an error that names it', async () => {
	await using launcher = await TestLauncher.start();
	await assert.rejects(launcher.run(['/nowhere/tool']), refused(2, '/nowhere/tool'));
	await assert.rejects(launcher.run(['tool']), refused(22, 'tool'));
	await assert.rejects(launcher.run([]), refused(22));
	await assert.rejects(launcher.run([SH], { cwd: '/nowhere/folder' }), refused(2, SH));
	await assert.rejects(launcher.run([SH], { namespaces: ['/nowhere/netns'] }), refused(2, '/nowhere/netns'));
});

test('many programs run at once', async () => {
	await using launcher = await TestLauncher.start();
	using folder = temporaryFolder();
	// Each waits until all have started: in a row they would never end.
	const count = 40;
	const script = `mkdir ${folder.path}/$N; while [ $(ls ${folder.path} | wc -l) -lt ${count} ]; do sleep 0.01; done`;
	const all = await Promise.all(
		Array.from({ length: count }, (_, n) =>
			launcher.run([SH, '-c', script], { env: [`N=${n}`, 'PATH=/usr/bin:/bin'], timeout_ms: 60_000 }),
		),
	);
	assert.deepEqual([...new Set(all.map((ran) => ran.exit_code))], [0]);
});

test('more requests than jobs may run wait their turn', async () => {
	await using launcher = await TestLauncher.start();
	const all = await Promise.all(Array.from({ length: 400 }, () => launcher.run(['/bin/true'])));
	assert.equal(all.length, 400);
});

test('the end of the connection kills running programs and the launcher', async () => {
	await using launcher = await TestLauncher.start();
	using folder = temporaryFolder();
	const file = join(folder.path, 'pid');
	const running = launcher.run([SH, '-c', `sleep 1000 & echo $! > ${file}; wait`]).catch(() => undefined);
	await until(() => pidIn(file) > 0);
	assert.equal(await launcher.end(), 0);
	await until(() => !alive(pidIn(file)));
	await running;
});

test('a killed launcher takes its running programs with it', async () => {
	await using launcher = await TestLauncher.start();
	using folder = temporaryFolder();
	const file = join(folder.path, 'pid');
	const running = launcher.run([SH, '-c', `sleep 1000 & echo $! > ${file}; wait`]).catch(() => undefined);
	await until(() => pidIn(file) > 0);
	launcher.process.kill('SIGKILL');
	await until(() => !alive(pidIn(file)));
	await launcher.end();
	await running;
});
