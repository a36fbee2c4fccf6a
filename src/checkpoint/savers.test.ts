import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import { createLog } from '#base/log.ts';
import type { Daemon } from '../server/types.ts';
import { saversEnded } from './savers.ts';

test('a CRIU that hangs in the kernel is killed once and not waited for', async (t) => {
	const criu = spawn('sleep', ['1000'], { argv0: '/where.tmp/content' });
	t.after(() => criu.kill('SIGKILL'));
	const lines: string[] = [];
	const killed: number[] = [];
	const cgroups = { processes: async () => [criu.pid] };
	const log = createLog('warn', (line) => lines.push(line));
	const daemon = { cgroups, config: { instance: 'test' }, log } as unknown as Daemon;
	await saversEnded(daemon, '/where.tmp', { patienceMs: 0, kill: (pid) => killed.push(pid) });
	assert.deepEqual(killed, [criu.pid]);
	assert.equal(lines.length, 1);
});
