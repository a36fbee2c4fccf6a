import assert from 'node:assert/strict';
import { closeSync, openSync } from 'node:fs';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import {
	externalMounts,
	type OpenFile,
	parseFdInfo,
	readSurroundings,
	standardStreams,
} from './surroundings.ts';

const MOUNTS = `81 45 0:44 / / rw,relatime - overlay overlay rw
82 81 0:46 / /proc rw,nosuid - proc proc rw
83 81 0:47 / /dev rw,nosuid - tmpfs tmpfs rw
88 81 254:0 /volumes/a /my\\040data rw master:1 - ext4 /dev/vda rw
111 82 0:46 /sys /proc/sys ro,nosuid - proc proc rw
113 82 0:6 /null /proc/keys ro - devtmpfs devtmpfs rw
`;

test('every mount but the root and proc is ours, under its real name', () => {
	assert.deepEqual(externalMounts(MOUNTS), ['/dev', '/my data', '/proc/keys']);
});

const file = (pid: number, fd: number, target: string, rest: Partial<OpenFile> = {}): OpenFile => ({
	pid,
	fd,
	target,
	isWritable: fd > 0,
	mountId: 15,
	inode: 3n,
	...rest,
});
const shim = new Set(['pipe:[1]', 'pipe:[2]', 'pipe:[3]']);
const streams = (...files: OpenFile[]) => standardStreams(7, files, shim, new Set([81, 83]));

test('the streams of init are what stands at 0, 1 and 2', () => {
	const nothing = file(7, 0, '/', { mountId: 44, isWritable: true });
	assert.deepEqual(streams(nothing, file(7, 1, 'pipe:[2]'), file(7, 2, 'pipe:[3]')), {
		stdin: 'file[2c:3]',
		stdout: 'pipe:[2]',
		stderr: 'pipe:[3]',
	});
	assert.equal(streams(file(7, 0, 'pipe:[1]'), file(7, 1, 'pipe:[2]')).stdin, 'pipe:[1]');
});

test('a child may hold what init has redirected', () => {
	const log = file(7, 1, '/log', { mountId: 81 });
	assert.deepEqual(streams(log, file(7, 2, 'pipe:[3]'), file(9, 1, 'pipe:[2]')), {
		stdin: '',
		stdout: 'pipe:[2]',
		stderr: 'pipe:[3]',
	});
});

test("both outputs may be one, and pipes and memory of their own are nobody else's", () => {
	const own = [file(7, 3, 'pipe:[99]'), file(7, 4, '/memfd:x (deleted)')];
	assert.deepEqual(streams(file(7, 1, 'pipe:[2]'), file(7, 2, 'pipe:[2]'), ...own), {
		stdin: '',
		stdout: 'pipe:[2]',
		stderr: '',
	});
});

test('what a descriptor is comes from fdinfo: the file itself may never answer', () => {
	const info = 'pos:\t0\nflags:\t0100002\nmnt_id:\t44\nino:\t3\n';
	assert.deepEqual(parseFdInfo(info), { isWritable: true, mountId: 44, inode: 3n });
});

test('others have their turn while thousands of descriptors are read', async (t) => {
	const files = Array.from({ length: 3000 }, () => openSync('/dev/null', 'r'));
	t.after(() => files.forEach(closeSync));
	let hadTurn = false;
	const turn = setImmediate().then(() => {
		hadTurn = true;
	});
	await readSurroundings(process.pid, [process.pid], process.pid);
	assert.ok(hadTurn);
	await turn;
});
