/** The machine's clock is set, back and forward, and pids are given to others: nothing is decided by either. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, mock, test } from 'node:test';
import { fromJson, toJson } from '../../src/store/json.ts';
import { until } from '../support/until.ts';
import { TestBed } from './harness.ts';

const YEAR_MS = 365 * 24 * 3600 * 1000;
afterEach(() => mock.timers.reset());

/** Only what the daemon reads: the processes of the pod have the machine's clock. */
const setClock = (years: number): void => {
	mock.timers.reset();
	mock.timers.enable({ apis: ['Date'], now: Date.now() + years * YEAR_MS });
};

for (const [what, years] of [
	['back', -10],
	['forward', 10],
] as const)
	test(`a clock that is set ${what} under running containers changes no state and no deadline`, async () => {
		await using bed = await TestBed.start();
		const pod = await bed.runPod();
		const [before, waits] = [await bed.run(pod), await bed.create(pod)];
		setClock(years);
		await bed.cri.StartContainer({ container_id: waits });
		const after = await bed.run(pod);
		const stateOf = async (id: string) => (await bed.cri.ContainerStatus({ container_id: id })).status?.state;
		for (const id of [before, waits, after]) {
			assert.equal(await stateOf(id), 'CONTAINER_RUNNING');
			assert.equal(await bed.sh(id, 'echo fine'), 'fine');
			const { stats } = await bed.cri.ContainerStats({ container_id: id });
			assert.ok(BigInt(stats?.cpu?.usage_core_nano_seconds?.value ?? 0) > 0n);
		}
		const late = bed.cri.ExecSync({ container_id: before, cmd: ['sleep', '100'], timeout: 1 });
		await assert.rejects(late, { condition: 'DEADLINE_EXCEEDED' });
		const deaf = await bed.run(pod, {
			command: ['sh', '-c', 'trap "" TERM; echo ready; while true; do sleep 0.1; done'],
			log_path: 'deaf.log',
		});
		const log = (await bed.cri.ContainerStatus({ container_id: deaf })).status?.log_path ?? '';
		await until('it ignores SIGTERM', () => readFileSync(log, 'utf8').includes('ready'));
		// Without a deadline of its own: the client's library counts that by the clock of the wall.
		const stop = bed.cri.client.call('StopContainer', { container_id: deaf, timeout: 1 });
		setClock(-years);
		await stop;
		assert.equal(await stateOf(deaf), 'CONTAINER_EXITED');
		await bed.crash();
		await bed.start();
		for (const id of [before, waits, after]) assert.equal(await bed.sh(id, 'echo still'), 'still');
		assert.equal(await stateOf(deaf), 'CONTAINER_EXITED');
		assert.deepEqual(
			bed.events.filter(({ containerId }) => containerId === deaf).map(({ type }) => type),
			['CONTAINER_CREATED_EVENT', 'CONTAINER_STARTED_EVENT', 'CONTAINER_STOPPED_EVENT'],
		);
		await bed.cri.RemovePodSandbox({ pod_sandbox_id: pod });
		assert.deepEqual(bed.leftObjects(), []);
	});

type Identity = { pid: number; startTime: bigint };

/** Every process that a record names is `other`, with the time at which the one of before began. */
function givePidsTo(state: string, other: ChildProcess): void {
	for (const kind of ['sandboxes', 'containers'])
		for (const id of readdirSync(join(state, kind))) {
			const path = join(state, kind, id, 'record.json');
			const record = fromJson(readFileSync(path, 'utf8')) as {
				value: { status: Record<'shim' | 'pause' | 'process', Identity | undefined> };
			};
			for (const who of ['shim', 'pause', 'process'] as const) {
				const identity = record.value.status[who];
				if (identity !== undefined) record.value.status[who] = { ...identity, pid: other.pid ?? 0 };
			}
			writeFileSync(path, toJson(record));
		}
}

for (const shims of ['die', 'live on'])
	test(`pids in the records that belong to another process by now are never signalled; shims ${shims}`, async () => {
		await using bed = await TestBed.start();
		const pods = [await bed.runPod(), await bed.runPod()];
		for (const pod of pods) await bed.run(pod);
		const shimPids = pods.map((pod) => bed.daemon.sandboxes.get(pod)?.status.shim?.pid ?? 0);
		await bed.crash();
		const other = spawn('sleep', ['1000'], { stdio: 'ignore' });
		try {
			await once(other, 'spawn');
			if (shims === 'die') for (const pid of shimPids) process.kill(pid, 'SIGKILL');
			await until('shims died or not', () =>
				shimPids.every((pid) => existsSync(`/proc/${pid}/exe`) === (shims !== 'die')),
			);
			givePidsTo(join(bed.folder, 'state'), other);
			await bed.start();
			for (const { id, state } of (await bed.cri.ListPodSandbox()).items) {
				assert.equal(state, 'SANDBOX_NOTREADY');
				await bed.cri.RemovePodSandbox({ pod_sandbox_id: id });
			}
			assert.deepEqual([other.exitCode, other.signalCode], [null, null], 'it was not signalled');
			assert.deepEqual(bed.leftObjects(), []);
			await until('the shims are gone', () => !shimPids.some((pid) => existsSync(`/proc/${pid}/exe`)));
		} finally {
			other.kill('SIGKILL');
			for (const pid of shimPids.filter((pid) => existsSync(`/proc/${pid}/exe`)))
				process.kill(pid, 'SIGKILL');
		}
	});
