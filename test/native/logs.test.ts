import assert from 'node:assert/strict';
import { readFileSync, renameSync, statSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { bind, Fixture, plan } from './support.ts';

let shim: Fixture;
before(async () => {
	shim = await Fixture.open();
});
after(() => shim.close());

const sh = (id: string, script: string) => plan({ rootfs: shim.rootfs, id, argv: ['sh', '-c', script] });
const pause = () => new Promise((resolve) => setTimeout(resolve, 5));
const ENTRY = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z (stdout|stderr) ([PF]) (.*)$/;

function parse(text: string): { stream: string; tag: string; line: string }[] {
	assert.ok(text === '' || text.endsWith('\n'));
	return text
		.split('\n')
		.slice(0, -1)
		.map((entry) => {
			const match = ENTRY.exec(entry);
			assert.ok(match, `not an entry: ${entry.slice(0, 100)}`);
			return { stream: match[1] as string, tag: match[2] as string, line: match[3] as string };
		});
}

test('time stamps are now, in UTC', async () => {
	const before = Date.now();
	await shim.run('time', sh('time', 'echo x'));
	const stamp = shim.log('time').split(' ')[0] as string;
	assert.ok(Date.parse(stamp) >= before - 1 && Date.parse(stamp) <= Date.now());
	await shim.delete('time');
});

test('lines over the limit are cut into P pieces and end in F; lines at the limit are whole', async () => {
	await shim.run(
		'cut',
		sh(
			'cut',
			'printf "%0100d\\n" 1; printf "%0101d\\n" 2; printf "%0250d\\n" 3; printf "%0200d\\n" 4; echo; printf "%0199d" 5',
		),
		{ log_line_max: 100 },
	);
	const lines = parse(shim.log('cut')).map(({ tag, line }) => `${tag}${line.length}`);
	assert.deepEqual(lines, ['F100', 'P100', 'F1', 'P100', 'P100', 'F50', 'P100', 'F100', 'F0', 'P100', 'F99']);
	await shim.delete('cut');
});

test('a line that comes in pieces is one entry, streams do not mix', async () => {
	await shim.run(
		'pieces',
		sh('pieces', 'printf a; sleep 0.02; printf X >&2; sleep 0.02; printf b; sleep 0.02; echo Y >&2; echo c'),
	);
	assert.deepEqual(parse(shim.log('pieces')), [
		{ stream: 'stderr', tag: 'F', line: 'XY' },
		{ stream: 'stdout', tag: 'F', line: 'abc' },
	]);
	await shim.delete('pieces');
});

test('a burst is complete, in order, and there before the exit is told', async () => {
	await shim.run('burst', sh('burst', 'seq 1 200000'));
	const lines = parse(shim.log('burst'));
	assert.equal(lines.length, 200000);
	for (const [index, { line, tag }] of lines.entries())
		assert.ok(line === String(index + 1) && tag === 'F', line);
	await shim.delete('burst');
});

test('bytes that are no text pass unchanged', async () => {
	await shim.run('bytes', sh('bytes', 'printf "\\377\\000\\001\\r\\n"'));
	const raw = readFileSync(shim.logPath('bytes'));
	assert.ok(raw.subarray(-6).equals(Buffer.from([0x20, 0xff, 0, 1, 0x0d, 0x0a])));
	await shim.delete('bytes');
});

test('reopening splits no line and loses none', async () => {
	await shim.create('reopen', sh('reopen', 'for i in $(seq 1 2000); do printf "%s-" $i; echo end; done'));
	await shim.start('reopen');
	const files: string[] = [];
	for (let turn = 0; turn < 10; turn++) {
		await pause();
		const moved = `${shim.logPath('reopen')}.${turn}`;
		renameSync(shim.logPath('reopen'), moved);
		files.push(moved);
		await shim.control.call('REOPEN_LOG', { id: 'reopen', log_path: shim.logPath('reopen') }, 'OK');
	}
	await shim.control.exited('reopen');
	const lines = [...files, shim.logPath('reopen')].flatMap((file) => parse(readFileSync(file, 'utf8')));
	assert.deepEqual(
		lines.map(({ line }) => line),
		Array.from({ length: 2000 }, (_, index) => `${index + 1}-end`),
	);
	await assert.rejects(shim.control.call('REOPEN_LOG', { id: 'reopen', log_path: '/nonesuch/log' }, 'OK'), {
		errno: 2,
	});
	await assert.rejects(shim.control.call('REOPEN_LOG', { id: 'none', log_path: '/tmp/x' }, 'OK'), {
		errno: 2,
	});
	await shim.delete('reopen');
});

test('a log that cannot be opened fails the create, and nothing is left', async () => {
	await assert.rejects(shim.create('nolog', sh('nolog', 'true'), { log_path: '/nonesuch/log' }), {
		errno: 2,
	});
	assert.deepEqual(shim.children(), []);
	await shim.delete('nolog');
});

test('without a log path output goes nowhere and blocks nobody', async () => {
	const exit = await shim.run('quiet', sh('quiet', 'seq 1 300000; exit 4'), { log_path: '' });
	assert.equal(exit.exit_code, 4);
	await shim.delete('quiet');
});

test('a full disk drops whole lines, says how many bytes, and goes on when there is room', async () => {
	const { execFileSync } = await import('node:child_process');
	const disk = shim.containerFolder('disk');
	execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', disk]);
	try {
		const fifo = shim.containerFolder('control');
		execFileSync('mkfifo', [`${fifo}/go`]);
		const script = 'seq 100000 120000; cat /run/go; seq 200000 200010';
		const path = `${disk}/log`;
		await shim.create(
			'full',
			plan({ rootfs: shim.rootfs, id: 'full', argv: ['sh', '-c', script], mounts: [bind(fifo, '/run')] }),
			{ log_path: path },
		);
		await shim.start('full');
		while (statSync(path).size < 256 * 1024 - 200) await pause();
		for (let i = 0; i < 20; i++) await pause();
		execFileSync('mount', ['-o', 'remount,size=2m', disk]);
		const { writeFileSync } = await import('node:fs');
		writeFileSync(`${fifo}/go`, 'more\n');
		await shim.control.exited('full');
		const lines = parse(readFileSync(path, 'utf8'));
		const lost = lines.findIndex(({ line }) => line.startsWith('gantry: '));
		assert.ok(lost > 0);
		const kept = lines.slice(0, lost);
		assert.deepEqual(
			kept.map(({ line }) => line),
			kept.map((_, index) => String(100000 + index)),
		);
		const bytes = Number(
			/^gantry: (\d+) bytes of output were lost here: No space left on device$/.exec(
				lines[lost]?.line ?? '',
			)?.[1],
		);
		assert.equal(bytes, (20001 - kept.length) * 7);
		assert.deepEqual(
			lines.slice(lost + 1).map(({ line }) => line),
			['more', ...Array.from({ length: 11 }, (_, index) => String(200000 + index))],
		);
		await shim.delete('full');
	} finally {
		execFileSync('umount', ['-l', disk]);
	}
});
