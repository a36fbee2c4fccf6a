/** What a run leaves: nothing, however it ends. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { cgroupsNamed, namesIn, read } from '../support/machine.ts';
import { until } from '../support/until.ts';
import { removeCgroupsOf } from './cgroups.ts';

const BENCH = fileURLToPath(new URL('bench.ts', import.meta.url));

/** A run that is at work, and its name. Its temporary files go to a folder of the test's own. */
async function startBench(folder: string): Promise<{ bench: ChildProcess; name: string }> {
	const env = { ...process.env, TMPDIR: folder };
	const bench = spawn(process.execPath, [BENCH, '--part', 'population'], {
		env,
		stdio: ['ignore', 'ignore', 'pipe'],
	});
	const [said] = (await once(bench.stderr ?? assert.fail(), 'data')) as [Buffer];
	assert.match(said.toString(), /bench: population/);
	return { bench, name: nameOf(folder) };
}

/** As the environment of a process in it says. */
function nameOf(folder: string): string {
	const mine = pids()
		.map(environmentOf)
		.find((text) => text.includes(`TMPDIR=${folder}/`));
	return /GANTRY_BENCH_MACHINE=(\w+)/.exec(mine ?? '')?.[1] ?? assert.fail('no process of the run was found');
}

const pids = (): string[] => namesIn('/proc').filter((name) => /^\d+$/.test(name));

const environmentOf = (pid: string): string => read(`/proc/${pid}/environ`);

const isOf = (name: string, pid: string): boolean =>
	environmentOf(pid).includes(`GANTRY_BENCH_MACHINE=${name}`);

const processesOf = (name: string): string[] => pids().filter((pid) => isOf(name, pid));

async function withFolder(work: (folder: string) => Promise<void>): Promise<void> {
	const folder = mkdtempSync(join(tmpdir(), 'bench-test-'));
	try {
		await work(folder);
	} finally {
		rmSync(folder, { recursive: true, force: true });
	}
}

test('a run that is told to end leaves no process, no cgroup and no file', async () => {
	await withFolder(async (folder) => {
		const { bench, name } = await startBench(folder);
		assert.ok(cgroupsNamed((cgroup) => cgroup.startsWith(name)).length > 0);
		bench.kill('SIGTERM');
		assert.deepEqual(await once(bench, 'exit'), [143, null]);
		assert.deepEqual(processesOf(name), []);
		assert.deepEqual(
			cgroupsNamed((cgroup) => cgroup.startsWith(name)),
			[],
		);
		assert.deepEqual(readdirSync(folder), []);
	});
});

test('no process of a run outlives the one that started it, even when that is killed', async () => {
	await withFolder(async (folder) => {
		const { bench, name } = await startBench(folder);
		assert.ok(processesOf(name).length > 2);
		bench.kill('SIGKILL');
		await once(bench, 'exit');
		await until('all processes have ended', () => processesOf(name).length === 0);
		await until('the cgroups can be removed', () => removeCgroupsOf(name));
	});
});
