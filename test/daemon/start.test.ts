import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
	chmodSync,
	existsSync,
	linkSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	rmSync,
	statSync,
	writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { VERSION } from '../../src/startup/version.ts';
import { daemonArgs, spawnDaemon, startTestDaemon, type TestDaemon } from '../support/daemon.ts';
import { leftoversOf } from '../support/leftovers.ts';

const INSTANCE = 'tstart';
/** sysexits.h EX_CONFIG: systemd is told not to start it again. */
const EX_CONFIG = 78;

describe('gantryd that cannot start says why, and leaves nothing behind', () => {
	let folder = '';
	const servers: Server[] = [];
	before(() => {
		folder = mkdtempSync(join(tmpdir(), 'gantry-start-'));
	});
	afterEach(() => {
		for (const server of servers.splice(0)) server.close();
		rmSync(folder, { recursive: true, force: true });
		mkdirSync(folder);
	});
	after(() => rmSync(folder, { recursive: true, force: true }));

	/** Runs it to its end, and gives the exit code and the last message. */
	async function run(toml: string, ...args: string[]): Promise<{ code: number | string; message: string }> {
		writeFileSync(join(folder, 'gantry.toml'), toml);
		const before = readdirSync(folder);
		const daemon = spawnDaemon([...daemonArgs(folder, INSTANCE), ...args]);
		const code = await daemon.ended;
		assert.deepEqual(readdirSync(folder), before, 'nothing is made by a start that fails');
		assert.deepEqual(leftoversOf(INSTANCE, folder), []);
		return { code, message: daemon.lines.map(({ msg }) => msg).join('\n') };
	}

	it('a folder that others use is neither closed to them nor used', async () => {
		for (const option of ['root', 'state']) {
			const theirs = join(folder, 'theirs');
			mkdirSync(theirs);
			chmodSync(theirs, 0o755);
			writeFileSync(join(theirs, 'file'), '');
			const { message } = await run('', `--${option}`, theirs);
			assert.match(
				message,
				new RegExp(`The ${option} folder ${theirs} is open to others and has files .*\\(file\\)`),
			);
			assert.equal(statSync(theirs).mode & 0o777, 0o755);
			assert.deepEqual(readdirSync(theirs), ['file']);
			rmSync(theirs, { recursive: true });
		}
	});

	it('a broken configuration: every problem with its line, and a suggestion', async () => {
		const { code, message } = await run('[log]\nlevel = "info"\n[network]\nprovder = "cni"\nsubnets = 7\n');
		assert.equal(code, EX_CONFIG);
		assert.match(
			message,
			/gantry\.toml:4: unknown option "network\.provder" \(did you mean "network\.provider"\?\)/,
		);
		assert.match(message, /gantry\.toml:5: network\.subnets: 7 is not a list/);
		assert.equal(existsSync(join(folder, 'state')), false);
	});

	it('a command line that is wrong: 2, as the gantry command has it', async () => {
		const { code, message } = await run('', '--colour=blue');
		assert.equal(code, 2);
		assert.match(message, /unknown option '--colour=blue'\nTry "gantryd --help"/);
		assert.equal((await run('', 'now')).code, 2);
	});

	it('a state folder that is too long for sockets', async () => {
		const { code, message } = await run('', '--state', `/tmp/${'x'.repeat(80)}`);
		assert.equal(code, EX_CONFIG);
		assert.match(message, /--state: state: the path is 85 bytes long, 10 too many for Unix sockets/);
	});

	it('a socket on which another server answers', async () => {
		const server = createServer((socket) => socket.end());
		servers.push(server);
		await new Promise<void>((resolve) => server.listen(join(folder, 'cri.sock'), resolve));
		const { code, message } = await run('');
		assert.equal(code, 1);
		assert.match(
			message,
			/Cannot listen on .*cri\.sock: another server answers there; stop it or choose another --listen/,
		);
	});

	it('a socket path that is a file of another kind, which is kept', async () => {
		writeFileSync(join(folder, 'cri.sock'), 'precious');
		const { message } = await run('');
		assert.match(message, /Cannot listen on .*cri\.sock: it is a file of another kind/);
		assert.equal(statSync(join(folder, 'cri.sock')).size, 8);
	});

	it('a root folder that is a file', async () => {
		writeFileSync(join(folder, 'root'), '');
		const { code, message } = await run('');
		assert.equal(code, 1);
		assert.match(message, /Cannot make the folder .*root: /);
	});

	it('programs that are not built', async () => {
		const { message } = await run('', '--set', `runtime.native_folder=${folder}`);
		assert.match(message, /gantry-shim, gantry-hook, pause not found in .*: run make -C runtime\/native/);
	});

	for (const option of ['state', 'root'])
		it(`a ${option} folder that a newer daemon has written, which is left as it is`, async () => {
			mkdirSync(join(folder, option), { mode: 0o750 });
			writeFileSync(join(folder, option, 'version.json'), '{"version":99,"writtenBy":"9.8.7","more":true}');
			const { code, message } = await run('');
			assert.equal(code, EX_CONFIG);
			assert.match(
				message,
				new RegExp(`The ${option} folder ${folder}/${option} was written by gantryd 9.8.7`),
			);
			assert.match(message, /Start gantryd 9\.8\.7 or a newer one/);
			assert.deepEqual(readdirSync(folder).toSorted(), ['gantry.toml', option].toSorted());
			assert.deepEqual(readdirSync(join(folder, option)), ['version.json']);
			assert.equal(statSync(join(folder, option)).mode & 0o777, 0o750);
		});

	it('a metrics address that is taken, although everything else had been started', async () => {
		const server = createServer();
		servers.push(server);
		await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
		const { port } = server.address() as { port: number };
		const { code, message } = await run(`[metrics]\naddress = "127.0.0.1:${port}"\n`);
		assert.equal(code, 1);
		assert.match(message, /Cannot serve metrics on .* \(metrics\.address\): .*EADDRINUSE/);
	});
});

it('--version is answered by both programs, and makes nothing', () => {
	for (const program of ['gantryd', 'gantry']) {
		const path = fileURLToPath(new URL(`../../hack/${program}`, import.meta.url));
		const { status, stdout } = spawnSync(path, ['--version'], { encoding: 'utf8' });
		assert.deepEqual([status, stdout], [0, `${VERSION}\n`]);
	}
});

it('a root folder in memory is warned of', async () => {
	const folder = mkdtempSync('/dev/shm/gantry-start-');
	// After the daemon, which is made later, has ended.
	using _removed = { [Symbol.dispose]: () => rmSync(folder, { recursive: true }) };
	await using daemon = await startTestDaemon({ args: ['--root', join(folder, 'root')] });
	const said = daemon.process.lines.find(({ level, msg }) => level === 'warn' && /is on a tmpfs/.test(msg));
	assert.match(
		said?.msg ?? '',
		new RegExp(`The root folder ${folder}/root is on a tmpfs: .*a reboot loses them`),
	);
});

it('gantryd that is told to end while it starts ends in order', async () => {
	const folder = mkdtempSync(join(tmpdir(), 'gantry-start-'));
	writeFileSync(join(folder, 'gantry.toml'), 'log.level = "debug"\n');
	const daemon = spawnDaemon(daemonArgs(folder, INSTANCE));
	await daemon.line(/^launcher started$/);
	daemon.child.kill('SIGTERM');
	assert.equal(await daemon.ended, 0);
	assert.deepEqual(leftoversOf(INSTANCE, folder), []);
	rmSync(folder, { recursive: true });
});

describe('gantryd that finds traces of another one', () => {
	let first: TestDaemon;
	before(async () => {
		first = await startTestDaemon();
	});
	after(() => first[Symbol.asyncDispose]());

	it('refuses a state folder that a living daemon holds, naming it', async () => {
		const second = spawnDaemon([
			...daemonArgs(first.folder, 'tother'),
			'--listen',
			`unix://${first.folder}/other.sock`,
		]);
		assert.equal(await second.ended, 1);
		const { msg } = await second.line(/^Cannot start/);
		assert.match(
			msg,
			new RegExp(
				`^Cannot start: The state folder ${first.folder}/state is in use by gantryd \\(pid ${first.process.child.pid}, instance ${first.instance}, ${first.address}\\)\\. End that, or choose another --state$`,
			),
		);
	});

	it('refuses a root folder that a living daemon holds, naming it', async () => {
		const state = mkdtempSync(join(tmpdir(), 'gantry-other-'));
		const args = [
			...daemonArgs(first.folder, 'tother'),
			'--state',
			state,
			'--listen',
			`unix://${state}/other.sock`,
		];
		const second = spawnDaemon(args);
		assert.equal(await second.ended, 1);
		assert.match(
			(await second.line(/^Cannot start/)).msg,
			/^Cannot start: The root folder .* is in use by gantryd \(pid \d+[^)]*\)\. End that, or choose another --root$/,
		);
		assert.deepEqual(readdirSync(state), []);
		rmSync(state, { recursive: true });
		assert.equal((await first.cri.Version()).runtime_name, 'gantry', 'the first one is not disturbed');
	});

	it('refuses an instance name that a living daemon has', async () => {
		const folder = mkdtempSync(join(tmpdir(), 'gantry-other-'));
		writeFileSync(join(folder, 'gantry.toml'), '');
		const second = spawnDaemon(daemonArgs(folder, first.instance));
		assert.equal(await second.ended, 1);
		const { msg } = await second.line(/^Cannot start/);
		assert.match(
			msg,
			new RegExp(
				`^Cannot start: The instance name ${first.instance} is in use by gantryd \\(pid ${first.process.child.pid}\\), ` +
					`whose processes are in \\S+${first.instance}-system\\. End that, or choose another name: --set instance=NAME$`,
			),
		);
		assert.deepEqual(readdirSync(folder), ['gantry.toml']);
		rmSync(folder, { recursive: true });
		assert.equal((await first.cri.Version()).runtime_name, 'gantry', 'the first one is not disturbed');
	});

	it('replaces the socket of a daemon that was killed, and takes its folders over', async () => {
		const socket = join(first.folder, 'cri.sock');
		linkSync(socket, `${socket}.kept`);
		await first.stop('SIGKILL');
		assert.ok(existsSync(socket) || existsSync(`${socket}.kept`));
		await first.start();
		assert.equal((await first.cri.Version()).runtime_name, 'gantry');
		rmSync(`${socket}.kept`);
	});
});
