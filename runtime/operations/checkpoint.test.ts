import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StatusError } from '#base/errors.ts';
import type { Cgroups, Launcher } from '../types.ts';
import { checkCanCheckpoint, checkpointContainer } from './checkpoint.ts';

test('a process that is not among the frozen ones is not saved: its id may be of another by now', async () => {
	const cgroups = { processes: async () => [1, 2] } as Partial<Cgroups> as Cgroups;
	const launcher: Pick<Launcher, 'run'> = { run: () => assert.fail('CRIU was started') };
	const options = { id: 'c', criu: '/criu', pid: process.pid, shimPid: process.pid, cgroupsPath: '/c' };
	const saving = checkpointContainer({ cgroups, launcher }, { ...options, folder: '/nowhere', timeoutMs: 0 });
	const error = (await saving.catch((failure: unknown) => failure)) as StatusError;
	assert.equal(error.condition, 'ABORTED');
	assert.match(error.message, /container c: it has ended/);
});

test('a container with hooks cannot be restored, so it is not saved', () => {
	const spec = {
		ociVersion: '1.2.0',
		root: { path: '/' },
		linux: { namespaces: [{ type: 'pid' }] },
	} as const;
	checkCanCheckpoint('save it', { ...spec, hooks: { poststop: [] } });
	assert.throws(
		() => checkCanCheckpoint('save it', { ...spec, hooks: { createContainer: [{ path: '/hook' }] } }),
		/Cannot save it: it has hooks/,
	);
});
