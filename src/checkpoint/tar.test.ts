import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Launcher, ProgramResult } from '#runtime';
import { Deadline } from './deadline.ts';
import { pack, readPacked } from './tar.ts';

/** tar that ends so. */
const launcherWith = (
	exitCode: number,
	complaint = './a: file changed as we read it',
): Pick<Launcher, 'run'> => {
	const stderr = Buffer.from(`tar: ${complaint}\n`);
	const empty = { signal: 0, timedOut: false, truncated: false, stdout: Buffer.of() };
	return { run: async (): Promise<ProgramResult> => ({ ...empty, exitCode, stderr }) };
};

test('what others may change meanwhile is packed as it was read; nothing else is', async () => {
	const deadline = new Deadline('save it', 0n, { runtime: { checkpointTimeoutSeconds: 60 } });
	const packing = (exitCode: number, mayChange: boolean) =>
		pack(launcherWith(exitCode), { folder: '/f', archive: '/a.tar', mayChange }, deadline);
	await packing(1, true);
	await assert.rejects(packing(1, false), /Cannot pack \/f: tar: \.\/a: file changed as we read it/);
	await assert.rejects(packing(2, true), /file changed/);
});

test('only a file that the archive does not have is not there; else it is said what is wrong', async () => {
	const deadline = new Deadline('read it', 0n, { runtime: { checkpointTimeoutSeconds: 60 } });
	const reading = (complaint: string) =>
		readPacked(launcherWith(2, complaint), { archive: '/a.tar', name: './b' }, deadline);
	assert.equal(await reading('./b: Not found in archive'), '');
	const broken = /Cannot read \.\/b of \/a\.tar: tar: \/a\.tar: Cannot read: Input\/output error/;
	await assert.rejects(reading('/a.tar: Cannot read: Input/output error'), broken);
	await assert.rejects(reading('Unexpected EOF in archive'), { condition: 'INVALID_ARGUMENT' });
});
