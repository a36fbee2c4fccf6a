/** The bare system calls: what is measured, and that nothing is left of it, however it ends. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { cgroupsNamed, links, processes } from '../support/machine.ts';
import { until } from '../support/until.ts';
import { type BareResult, prepareBare, runBare } from './bare-program.ts';
import { KERNEL, Samples } from './figures.ts';
import { addKernel } from './kernel.ts';
import { CALLS } from './pod-life.ts';
import { drawTable } from './table.ts';

interface Place {
	readonly name: string;
	/** Of the program, not there yet. */
	readonly folder: string;
}

/** A name and a folder; in the end nothing of this name may be left. */
async function withPlace(work: (place: Place) => Promise<void>): Promise<void> {
	const name = `t${randomBytes(3).toString('hex')}`;
	const aside = mkdtempSync(join(tmpdir(), 'bench-bare-test-'));
	const folder = join(aside, 'pod');
	try {
		await work({ name, folder });
		assert.deepEqual(leftOf({ name, folder }), []);
	} finally {
		rmSync(aside, { recursive: true, force: true });
	}
}

function leftOf({ name, folder }: Place): string[] {
	return [
		...cgroupsOf(name),
		...links()
			.map((link) => link.name)
			.filter((link) => link.startsWith(name)),
		...processesOf(name).map(({ words }) => words.join(' ')),
		...(existsSync(join(folder, 'containers')) ? ['files'] : []),
	];
}

const cgroupsOf = (name: string): string[] => cgroupsNamed((cgroup) => cgroup.startsWith(name));

const processesOf = (name: string): ReturnType<typeof processes> =>
	processes().filter(
		({ words, cgroups }) => words[1] === name || cgroups.some((path) => path.includes(name)),
	);

/** The program at work on far more pods than anyone waits for. */
async function startBare({ name, folder }: Place): Promise<ChildProcess> {
	const child = spawn(await prepareBare(folder, name), [name, folder, '1000'], {
		stdio: ['ignore', 'ignore', 'pipe'],
	});
	await until('a container lives', () => processesOf(name).some(({ words }) => words[0] === '/bin/sleep'));
	return child;
}

test('each call of a pod has its stages, each with a time, and the sums are those of the stages', async () => {
	await withPlace(async ({ name, folder }) => {
		const { rounds, calls, background } = await runBare(folder, name, 2);
		assert.equal(rounds, 2);
		assert.deepEqual(
			calls.map((call) => call.name),
			[
				'RunPodSandbox',
				'CreateContainer + StartContainer',
				'Stop + RemoveContainer',
				'Stop + RemovePodSandbox',
			],
		);
		for (const { sums_us, median_us, stages } of [...calls, background]) {
			assert.ok(stages.length > 0);
			for (const stage of stages) assert.ok(stage.median_us > 0, `${stage.name} took no time`);
			assert.equal(sums_us.length, 2);
			assert.equal(median_us, Math.min(...sums_us));
		}
	});
});

test('told to end it removes what it has made, with what runs', async () => {
	await withPlace(async (place) => {
		const child = await startBare(place);
		child.kill('SIGTERM');
		assert.deepEqual(await once(child, 'exit'), [143, null]);
	});
});

test('when the process that works is killed, the one beside it removes everything', async () => {
	await withPlace(async (place) => {
		const child = await startBare(place);
		const worker = processes().find(({ parent }) => parent === child.pid) ?? assert.fail('nobody works');
		process.kill(worker.pid, 'SIGKILL');
		assert.deepEqual(await once(child, 'exit'), [1, null]);
	});
});

test('what fails is said, and what was made before is removed', async () => {
	await withPlace(async ({ name, folder }) => {
		const program = await prepareBare(folder, name);
		rmSync(join(folder, 'layer/bin/sleep'));
		const child = spawn(program, [name, folder, '1'], { stdio: ['ignore', 'ignore', 'pipe'] });
		const [said, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
		assert.match(said, /^bare: cannot execute \/bin\/sleep: No such file or directory$/m);
		assert.equal(code, 1);
	});
});

test('a name that cannot begin those of links is refused', async () => {
	await withPlace(async ({ name, folder }) => {
		const program = await prepareBare(folder, name);
		for (const args of [['a-name', folder, '1'], [name, 'relative', '1'], [name, folder, '0'], [name]]) {
			const [code] = await once(spawn(program, args, { stdio: 'ignore' }), 'exit');
			assert.equal(code, 2, args.join(' '));
		}
	});
});

test('the table has the kernel beside the endpoints, for the calls that it has a share of', () => {
	const phase = (name: string, sums_us: number[]) => ({
		name,
		sums_us,
		median_us: 0,
		stages: [{ name: 'exec', median_us: 165 }],
	});
	const result: BareResult = {
		rounds: 1,
		calls: [
			phase('RunPodSandbox', [4000]),
			phase('CreateContainer + StartContainer', [3000]),
			phase('Stop + RemoveContainer', [1500]),
		],
		background: phase('in the background', [7000]),
	};
	const samples = new Samples();
	const call = { part: CALLS, unit: 'ms', better: 'less' } as const;
	for (const [endpoint, ms] of [
		['gantry', 14],
		['containerd', 140],
	] as const) {
		samples.add({ ...call, name: 'RunPodSandbox' }, endpoint, ms);
		samples.add({ ...call, name: 'pod ready' }, endpoint, 2 * ms);
		samples.add({ ...call, name: 'ContainerStatus' }, endpoint, ms);
	}
	addKernel(samples, result);
	const table = drawTable(samples.figures(), ['gantry', 'containerd'], 'containerd');
	assert.match(table, new RegExp(`^${CALLS} .* gantry: times +${KERNEL} p50$`, 'm'));
	assert.match(table, /^RunPodSandbox \(ms\) +14\.0 +14\.0 +140 +140 +10\.0 +4\.00$/m);
	assert.match(table, /^pod ready \(ms\) +28\.0 +28\.0 +280 +280 +10\.0 +7\.00$/m);
	assert.match(table, /^ContainerStatus \(ms\) +14\.0 +14\.0 +140 +140 +10\.0 +-$/m);
	assert.match(table, /^kernel: RunPodSandbox +kernel alone p50\nexec \(µs\) +165$/m);
	assert.match(table, /^kernel: in the background +kernel alone p50\nexec \(µs\) +165$/m);
});
