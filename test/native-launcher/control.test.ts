import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
	closeSync,
	copyFileSync,
	existsSync,
	mkdirSync,
	openSync,
	readdirSync,
	readFileSync,
	readlinkSync,
	rmdirSync,
	statSync,
	writeFileSync,
	writeSync,
} from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { encodeFrame, encodePlan, FrameDecoder, type Message } from '../../runtime/shim/codec.ts';
import { MAX_FRAME_BYTES, PROTOCOL_VERSION } from '../../runtime/shim/schema.ts';
import { childrenOf } from '../support/machine.ts';
import { refused, SHIM, TestLauncher, temporaryFolder, until } from './launcher.ts';

const ID = 'a'.repeat(64);

/** Settles when the process sleeps, and has for a while. */
async function atRest(pid: number): Promise<void> {
	const switches = (): string =>
		readFileSync(`/proc/${pid}/status`, 'utf8').replace(
			/^(?!voluntary_ctxt|nonvoluntary_ctxt|State).*\n/gm,
			'',
		);
	for (let before = ''; before !== switches() || !before.includes('S (sleeping)'); ) {
		before = switches();
		await new Promise((resolve) => setTimeout(resolve, 200));
	}
}

/** A process may end between any two looks at it: one look tells. */
function alive(pid: number): boolean {
	try {
		return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
	} catch {
		return false;
	}
}
const startShim = (launcher: TestLauncher, socket_path: string) =>
	launcher.ask(
		'START_SHIM',
		{ sandbox_id: ID, socket_path, instance: 'test', oom_score_adj: -998, network: 1 },
		'SHIM_STARTED',
	);
/** Its socket takes connections before it has begun; its answer says that it has. */
async function assertAnswers(path: string): Promise<void> {
	const socket = connect(path);
	socket.write(encodeFrame('HELLO', 1, { version: PROTOCOL_VERSION }));
	await once(socket, 'data');
	socket.destroy();
}

test('--version, and a command line that is none', () => {
	assert.match(
		execFileSync(SHIM, ['--version']).toString(),
		/^gantry-shim \d+\.\d+\.\d+ \(protocol \d+\)\n$/,
	);
	assert.throws(() => execFileSync(SHIM, ['nonsense'], { stdio: 'ignore' }), { status: 2 });
	assert.throws(() => execFileSync(SHIM, ['launcher'], { stdio: 'ignore' }), { status: 2 });
});

test('the launcher runs from a sealed copy that nobody can write', async () => {
	await using launcher = await TestLauncher.start();
	assert.match(readlinkSync(`/proc/${launcher.pid}/exe`), /^\/memfd:gantry-shim/);
	assert.throws(() => writeFileSync(`/proc/${launcher.pid}/exe`, 'x', { flag: 'r+' }));
	assert.equal(readFileSync(`/proc/${launcher.pid}/comm`, 'utf8'), 'gantry-launcher\n');
});

test('START_SHIM: a process of its own that listens and survives the launcher', async () => {
	await using launcher = await TestLauncher.start();
	using folder = temporaryFolder();
	const path = join(folder.path, 'shim.sock');
	const shim = await startShim(launcher, path);
	try {
		const fields = readFileSync(`/proc/${shim.pid}/stat`, 'utf8')
			.replace(/^.*\) /s, '')
			.split(' ');
		assert.equal(BigInt(fields[19] ?? 0), shim.start_time);
		assert.equal(Number(fields[3]), shim.pid, 'it leads a session of its own');
		assert.deepEqual(readFileSync(`/proc/${shim.pid}/cmdline`, 'utf8').split('\0').slice(1, 6), [
			'shim',
			'--sandbox',
			ID,
			'--instance',
			'test',
		]);
		assert.match(readlinkSync(`/proc/${shim.pid}/exe`), /^\/memfd:gantry-shim/);
		for (const stream of [0, 1, 2]) assert.equal(readlinkSync(`/proc/${shim.pid}/fd/${stream}`), '/dev/null');
		assert.match(readlinkSync(`/proc/${shim.pid}/fd/3`), /^socket:/);
		assert.equal(statSync(path).mode & 0o777, 0o600);
		await assertAnswers(path);
		await assert.rejects(startShim(launcher, path), refused(98, 'living shim'));
		assert.equal(await launcher.end(), 0);
		assert.ok(alive(shim.pid));
		await assertAnswers(path);
	} finally {
		process.kill(shim.pid, 'SIGKILL');
	}
});

test('START_SHIM: a stale socket is replaced, a file is not, and bad paths are told apart', async () => {
	await using launcher = await TestLauncher.start();
	using folder = temporaryFolder();
	const path = join(folder.path, 'shim.sock');
	const first = await startShim(launcher, path);
	process.kill(first.pid, 'SIGKILL');
	await until(() => !alive(first.pid));
	assert.ok(existsSync(path));
	const second = await startShim(launcher, path);
	assert.notEqual(second.pid, first.pid);
	process.kill(second.pid, 'SIGKILL');
	await until(() => !existsSync(`/proc/${second.pid}`));

	const file = join(folder.path, 'file');
	writeFileSync(file, 'x');
	await assert.rejects(startShim(launcher, file), refused(17, 'not a socket'));
	assert.equal(readFileSync(file, 'utf8'), 'x');
	const long = join(folder.path, 'x'.repeat(120));
	await assert.rejects(startShim(launcher, long), refused(36, '107'));
	await assert.rejects(startShim(launcher, '/nowhere/shim.sock'), refused(2, '/nowhere/shim.sock'));
});

function descriptorsOf(pid: number): string[] {
	const folder = `/proc/${pid}/fd`;
	return readdirSync(folder).flatMap((fd) => {
		try {
			return [readlinkSync(join(folder, fd))];
		} catch (error) {
			if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
			throw error;
		}
	});
}

test('a shim holds neither the lock nor the connection of the launcher', async () => {
	await using launcher = await TestLauncher.start();
	using folder = temporaryFolder();
	const lock = join(folder.path, 'lock');
	await launcher.ask('LOCK', { path: lock }, 'OK');
	const shim = await startShim(launcher, join(folder.path, 'shim.sock'));
	try {
		// It closes what it inherited while this looks.
		await until(() => !descriptorsOf(shim.pid).includes(lock));
		await launcher.end();
		await using next = await TestLauncher.start();
		await next.ask('LOCK', { path: lock }, 'OK');
	} finally {
		process.kill(shim.pid, 'SIGKILL');
	}
});

test('LOCK: one launcher at a time, until it ends, however it ends', async () => {
	using folder = temporaryFolder();
	const path = join(folder.path, 'lock');
	await using first = await TestLauncher.start();
	await first.ask('LOCK', { path }, 'OK');
	const sleeping = first.run(['/bin/sleep', '1000']).catch(() => undefined);
	await using second = await TestLauncher.start();
	await assert.rejects(
		second.ask('LOCK', { path }, 'OK'),
		refused(11, `process ${first.pid} holds it (launcher of process ${process.pid})`),
	);
	first.process.kill('SIGKILL');
	await first.end();
	await sleeping;
	/* What it had just forked may not have let go of the lock yet. */
	while (!(await second.ask('LOCK', { path }, 'OK').then(Boolean, () => false)));
	await assert.rejects(second.ask('LOCK', { path: '/nowhere/lock' }, 'OK'), refused(2, '/nowhere/lock'));
});

test('CGROUP_ENTER: the launcher and what it starts become members', async (t) => {
	const v2 = existsSync('/sys/fs/cgroup/cgroup.controllers') ? '/sys/fs/cgroup' : '/sys/fs/cgroup/unified';
	const cpuset = '/sys/fs/cgroup/cpuset';
	if (!existsSync(v2)) return t.skip('no cgroup file system');
	const name = `gantry-native-${process.pid}`;
	const cgroups = [{ path: `${v2}/${name}/inner`, v2: 1 }];
	if (existsSync(cpuset)) cgroups.push({ path: `${cpuset}/${name}/inner`, v2: 0 });
	await using launcher = await TestLauncher.start();
	try {
		await launcher.ask('CGROUP_ENTER', { cgroups }, 'OK');
		const ran = await launcher.run(['/bin/cat', '/proc/self/cgroup']);
		const lines = ran.out.split('\n').filter((line) => line.endsWith(`/${name}/inner`));
		assert.equal(lines.length, cgroups.length);
		const bad = [{ path: '/nowhere/else', v2: 1 }];
		await assert.rejects(
			launcher.ask('CGROUP_ENTER', { cgroups: bad }, 'OK'),
			refused(22, 'not in a cgroup hierarchy'),
		);
	} finally {
		await launcher.end();
		for (const { path } of cgroups)
			for (const folder of [path, join(path, '..')]) if (existsSync(folder)) rmdirSync(folder);
		assert.ok(!existsSync('/nowhere'));
	}
});

test('TEARDOWN carries out a plan on the host', async () => {
	await using launcher = await TestLauncher.start();
	using folder = temporaryFolder();
	writeFileSync(join(folder.path, 'file'), 'before');
	const plan = encodePlan([
		{ op: 'write_file', path: join(folder.path, 'file'), value: 'after!', flags: 0 },
		{ op: 'remove_tree', path: join(folder.path, 'gone') },
	]);
	const deleted = await launcher.ask('TEARDOWN', { plan }, 'DELETED');
	assert.equal(deleted.hook_error, '');
	assert.equal(readFileSync(join(folder.path, 'file'), 'utf8'), 'after!');
	const failing = encodePlan([{ op: 'write_file', path: '/nowhere/file', value: '', flags: 0 }]);
	await assert.rejects(
		launcher.ask('TEARDOWN', { plan: failing }, 'DELETED'),
		refused(2, '/nowhere/file', 0),
	);
});

test('what is no frame ends the launcher; what is no request of its own is refused', async () => {
	const tooLong = Buffer.alloc(12);
	tooLong.writeUInt32LE(MAX_FRAME_BYTES + 1, 0);
	for (const bytes of [
		tooLong,
		encodeFrame('LIST', 1, {}),
		Buffer.from('GET / HTTP/1.1\r\nHost: gantry\r\n\r\n'),
	]) {
		const launcher = new TestLauncher();
		const exited = once(launcher.process, 'exit');
		launcher.socket.write(bytes);
		await exited;
	}
	await using launcher = await TestLauncher.start();
	await assert.rejects(launcher.ask('LIST', {}, 'LISTED'), refused(38, '27'));
	await assert.rejects(launcher.ask('HELLO', { version: PROTOCOL_VERSION }, 'WELCOME'), refused(38));
});

test('requests whose fields cannot be read are refused one by one', async () => {
	await using launcher = await TestLauncher.start();
	const answers: number[] = [];
	const decoder = new FrameDecoder();
	launcher.socket.on('data', (chunk: Buffer) => {
		for (const frame of decoder.push(chunk)) if (frame.type === 'ERROR') answers.push(frame.body.errno);
	});
	const types = [60, 62, 64, 66, 68, 69, 70, 72, 73, 74, 75];
	for (const type of types) {
		const frame = Buffer.alloc(15, 0xff);
		frame.writeUInt32LE(3, 0);
		frame.writeUInt16LE(type, 4);
		launcher.socket.write(frame);
	}
	await until(() => answers.length === types.length);
	assert.deepEqual([...new Set(answers)], [74]);
});

const LONG = 2_000_000;
/** Asks for so many programs that end at the same moment, each with a long answer, while nobody takes them. */
async function longAnswers(launcher: TestLauncher, count: number): Promise<Promise<Message<'RAN'>>[]> {
	using folder = temporaryFolder();
	const gate = join(folder.path, 'gate');
	execFileSync('mkfifo', [gate]);
	const file = openSync(gate, 'r+');
	const body = {
		argv: ['/bin/sh', '-c', `read go < ${gate}; exec head -c ${LONG} /dev/zero`],
		env: ['PATH=/usr/bin:/bin'],
		cwd: '',
		stdin: new Uint8Array(),
		timeout_ms: 0,
		max_output: 2 * LONG,
		namespaces: [],
		outlives: 0,
	};
	const all = Array.from({ length: count }, () => launcher.ask('RUN', body, 'RAN'));
	const programs = () => childrenOf(launcher.pid).flatMap(childrenOf);
	await until(() => programs().length === count);
	launcher.socket.pause();
	writeSync(file, '\n'.repeat(count));
	await until(() => programs().length === 0);
	closeSync(file);
	await atRest(launcher.pid);
	return all;
}

test('a daemon that does not read its answers does not make the launcher grow', async () => {
	await using launcher = await TestLauncher.start();
	const all = await longAnswers(launcher, 60);
	const kilobytes = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${launcher.pid}/status`, 'utf8'))?.[1]);
	launcher.socket.resume();
	for (const ran of await Promise.all(all)) assert.equal(ran.stdout.length, LONG);
	/* The answers are 120 MB in all; it holds the few that have begun to come and the one that waits to be taken. */
	if (!SHIM.includes('sanitize')) assert.ok(kilobytes < 20_000, `${kilobytes} KiB`);
});

test('jobs that are stopped in the middle of long answers keep no short one waiting, and lose nothing', async () => {
	await using launcher = await TestLauncher.start();
	const all = await longAnswers(launcher, 12);
	const jobs = childrenOf(launcher.pid);
	assert.ok(jobs.length > 4, `${jobs.length} jobs are left`);
	for (const pid of jobs) process.kill(pid, 'SIGSTOP');
	try {
		launcher.socket.resume();
		assert.equal((await launcher.run(['/bin/true'])).exit_code, 0);
	} finally {
		for (const pid of jobs) process.kill(pid, 'SIGCONT');
	}
	for (const ran of await Promise.all(all)) assert.equal(ran.stdout.length, LONG);
});

test('the launcher ignores what a terminal or a service manager sends to the whole group', async () => {
	await using launcher = await TestLauncher.start();
	for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) launcher.process.kill(signal);
	assert.equal((await launcher.run(['/bin/true'])).exit_code, 0);
});

test('pause ends at once on SIGTERM and buries what it is given', async () => {
	const pause = join(SHIM, '..', SHIM.includes('sanitize') ? '../pause' : 'pause');
	// As pid 1 of a pid namespace: its orphan must vanish although nobody else waits for it.
	const script = `(sh -c '${process.execPath} -e 0 & exit' ); exec ${pause}`;
	const shell = spawn('unshare', ['--pid', '--fork', '--kill-child', 'sh', '-c', script], {
		stdio: 'ignore',
	});
	const exited = once(shell, 'exit');
	const childOf = (pid: number): number => childrenOf(pid)[0] ?? 0;
	const isPause = (pid: number): boolean =>
		pid > 0 && readFileSync(`/proc/${pid}/comm`, 'utf8') === 'pause\n';
	await until(() => isPause(childOf(shell.pid ?? 0)));
	const pid = childOf(shell.pid ?? 0);
	await until(() => childOf(pid) === 0);
	process.kill(pid, 'SIGTERM');
	assert.deepEqual(await exited, [0, null]);
});

test('it refuses to work in a chroot, where the host would lie below every container', {
	skip: SHIM.includes('sanitize') && 'this build is not static',
}, async () => {
	using folder = temporaryFolder();
	mkdirSync(join(folder.path, 'proc'));
	copyFileSync(SHIM, join(folder.path, 'gantry-shim'));
	const script = 'mount -t proc proc "$0/proc" && exec chroot "$0" /gantry-shim launcher';
	const child = spawn('unshare', ['-m', 'sh', '-c', script, folder.path], {
		stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
	});
	const words = text(child.stderr as NonNullable<typeof child.stderr>);
	const [code] = await once(child, 'exit');
	assert.equal(code, 1);
	assert.match(await words, /refuses to work in a chroot/);
});
