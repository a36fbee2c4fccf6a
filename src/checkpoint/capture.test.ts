import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLog } from '#base/log.ts';
import type { Container } from '../container/types.ts';
import type { Daemon } from '../server/types.ts';
import { capture } from './capture.ts';
import { Deadline } from './deadline.ts';

test('a container is thawed also when nobody can tell whether CRIU has ended', async (t) => {
	const folder = mkdtempSync(join(tmpdir(), 'gantry-capture-'));
	t.after(() => rmSync(folder, { recursive: true }));
	const thawed: string[] = [];
	const cgroups = {
		freeze: async () => Promise.reject(new Error('it cannot be frozen')),
		processes: async () => Promise.reject(new Error('the cgroup cannot be read')),
		thaw: (path: string) => void thawed.push(path),
	};
	const config = { instance: 'test', runtime: { checkpointTimeoutSeconds: 5 } };
	const daemon = { cgroups, config, log: silentLog } as unknown as Daemon;
	const container = { metadata: { id: 'c', folder, cgroupsPath: '/c' } } as unknown as Container;
	const deadline = new Deadline('save', 0n, config);
	const cut = {
		criu: '',
		shimPid: 0,
		stopped: [container],
		saved: [],
		temporary: '/t',
		sharedMemory: undefined,
	};
	await assert.rejects(capture(daemon, { ...cut, deadline }), /cannot be read/);
	assert.deepEqual(thawed, ['/c']);
	assert.deepEqual(readdirSync(folder), []);
});
