import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Launcher, ProgramResult } from '#runtime';
import { Deadline } from './deadline.ts';
import { pack } from './tar.ts';

/** tar that ends so. */
const launcherWith = (exitCode: number): Pick<Launcher, 'run'> => {
	const stderr = Buffer.from('tar: ./a: file changed as we read it\n');
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
