/** The disk of the logs is full: containers go on, and their logs say what is missing. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { until } from '../support/until.ts';
import { SmallDisk } from './small-disk.ts';
import { exhausted, Stage } from './stage.ts';

let stage: Stage;
let disk: SmallDisk;
let pod: string;
before(async () => {
	stage = await Stage.set();
	disk = new SmallDisk('tmpfs', 1, 500);
	pod = await stage.runPod('logs', disk.path);
});
after(async () => {
	disk.free();
	await stage[Symbol.asyncDispose]();
	disk[Symbol.dispose]();
});

const linesOf = (log: string): string[] =>
	readFileSync(join(disk.path, log), 'utf8')
		.split('\n')
		.slice(0, -1)
		.map((line) => line.split(' ').slice(3).join(' '));

/** Prints 8 bytes for each number, waits for the file /go, and says goodbye. */
const script = 'seq 1000000 1004999; touch /told; while ! test -e /go; do sleep 0.05; done; echo goodbye';

/** Every line is there or told as lost, in its place. */
function checkComplete(log: string, end: readonly string[]): void {
	const lines = linesOf(log);
	const at = lines.findIndex((line) => line.startsWith('gantry: '));
	const kept = lines.slice(0, at);
	assert.deepEqual(
		kept,
		kept.map((_, index) => String(1_000_000 + index)),
	);
	assert.equal(
		lines[at],
		`gantry: ${(5000 - kept.length) * 8} bytes of output were lost here: No space left on device`,
	);
	assert.deepEqual(lines.slice(at + 1), end);
}

test('a container that goes on to write does so when there is room, after what was lost is told', async () => {
	const id = await stage.create(pod, { command: ['sh', '-c', script], log_path: 'goes-on' });
	disk.fill('space');
	await stage.cri.StartContainer({ container_id: id });
	await stage.sh(id, 'while ! test -e /told; do sleep 0.05; done');
	disk.free();
	await stage.sh(id, 'touch /go');
	await until('it ended', async () => (await stage.stateOf(id)) === 'CONTAINER_EXITED 0 Completed');
	checkComplete('goes-on', ['goodbye']);
});

test('a container that has ended meanwhile is told of as well', async () => {
	const id = await stage.create(pod, { command: ['seq', '1000000', '1004999'], log_path: 'ended' });
	disk.fill('space');
	await stage.cri.StartContainer({ container_id: id });
	await until('it ended', async () => (await stage.stateOf(id)) === 'CONTAINER_EXITED 0 Completed');
	disk.free();
	await until('the loss is told', () => linesOf('ended').some((line) => line.startsWith('gantry: ')));
	checkComplete('ended', []);
});

test('a log for which there is no inode fails the call, and nothing of it stays', async () => {
	const config = { metadata: { name: 'refused', attempt: 0 }, log_path: 'refused' };
	disk.fill('inodes');
	const before = await stage.everything();
	await exhausted(stage.create(pod, config), join(disk.path, 'refused'), 'ENOSPC');
	assert.deepEqual(await stage.everything(), before);
	disk.free();
	assert.ok(!existsSync(join(disk.path, 'refused')));
	await stage.create(pod, config);
});

test('a log that cannot be reopened goes on where it is', async () => {
	const command = ['sh', '-c', 'i=0; while :; do echo $((i += 1)); sleep 0.02; done'];
	const container_id = await stage.run(pod, { command, log_path: 'reopened' });
	const [log, rotated] = ['reopened', 'reopened.1'].map((name) => join(disk.path, name)) as [string, string];
	await until('it has written', () => readFileSync(log, 'utf8') !== '');
	renameSync(log, rotated);
	disk.fill('inodes');
	await exhausted(stage.cri.ReopenContainerLog({ container_id }), log, 'ENOSPC');
	const size = readFileSync(rotated).length;
	await until('the old file grows', () => readFileSync(rotated).length > size);
	disk.free();
	await stage.cri.ReopenContainerLog({ container_id });
	await until('the new file has lines', () => linesOf('reopened').length > 2);
	await stage.cri.StopContainer({ container_id, timeout: 0 });
	const numbers = [...linesOf('reopened.1'), ...linesOf('reopened')];
	assert.deepEqual(
		numbers,
		numbers.map((_, index) => String(index + 1)),
	);
});
