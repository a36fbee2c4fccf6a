/**
 * Containers that do not end: one that ignores its stop signal, and processes in an uninterruptible sleep, which a
 * frozen cgroup stands for. Deadlines end the calls, removal is possible in the end, and reads wait for none of it.
 */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { ContainerConfigInit } from '#cri-api';
import { checkProcess } from '#runtime';
import { freeze, freezerFile } from '../support/freezer.ts';
import { until } from '../support/until.ts';
import { failureOf, TestBed } from './harness.ts';

const DEAF: ContainerConfigInit = {
	command: ['sh', '-c', 'trap "" TERM; touch /tmp/deaf; while :; do sleep 0.1; done'],
};
/** Far longer than any test. */
const LONG_S = 3600n;

async function runDeaf(bed: TestBed, pod: string): Promise<string> {
	const id = await bed.run(pod, DEAF);
	await bed.sh(id, 'until test -e /tmp/deaf; do sleep 0.01; done');
	return id;
}

/** Every read that a kubelet does of these objects, with the client's deadline that no read may need. */
async function readAll({ cri }: TestBed, pod: string, container: string): Promise<void> {
	const quick = { timeoutMs: 10_000 };
	await Promise.all([
		cri.Status({}, quick),
		cri.ListPodSandbox({}, quick),
		cri.PodSandboxStatus({ pod_sandbox_id: pod, verbose: true }, quick),
		cri.ListContainers({}, quick),
		cri.ContainerStatus({ container_id: container, verbose: true }, quick),
		cri.ContainerStats({ container_id: container }, quick),
		cri.ListContainerStats({}, quick),
		cri.PodSandboxStats({ pod_sandbox_id: pod }, quick),
		cri.ListPodSandboxStats({}, quick),
	]);
}

const cgroupOf = ({ daemon }: TestBed, id: string): string =>
	daemon.containers.get(id)?.metadata.cgroupsPath ?? assert.fail(`no container ${id}`);

const sandboxCgroup = ({ instance }: TestBed, pod: string): string => `/${instance}/${instance}-${pod}`;

async function exitOf({ cri }: TestBed, container_id: string): Promise<readonly unknown[]> {
	const { status } = await cri.ContainerStatus({ container_id });
	return [status?.state, status?.exit_code];
}

for (const [what, graceS] of [
	['a shorter grace', 1n],
	['no grace', 0n],
] as const) {
	test(`a container that ignores its stop signal: ${what} of a second stop ends the first`, async () => {
		await using bed = await TestBed.start();
		const pod = await bed.runPod();
		const id = await runDeaf(bed, pod);
		const first = bed.cri.StopContainer({ container_id: id, timeout: LONG_S });
		await until('the first stop waits', () => bed.daemon.containers.stops.has(id));
		await readAll(bed, pod, id);
		assert.deepEqual(await exitOf(bed, id), ['CONTAINER_RUNNING', 0]);
		await bed.cri.StopContainer({ container_id: id, timeout: graceS });
		await first;
		assert.deepEqual(await exitOf(bed, id), ['CONTAINER_EXITED', 137]);
	});
}

for (const call of ['StopPodSandbox', 'RemovePodSandbox'] as const) {
	test(`${call} ends the grace of a stop that waits`, async () => {
		await using bed = await TestBed.start();
		const pod = await bed.runPod();
		const id = await runDeaf(bed, pod);
		const first = bed.cri.StopContainer({ container_id: id, timeout: LONG_S });
		await until('the first stop waits', () => bed.daemon.containers.stops.has(id));
		await bed.cri[call]({ pod_sandbox_id: pod });
		await first;
	});
}

test('a frozen container: reads and timeouts work, and it can be stopped and removed', async () => {
	await using bed = await TestBed.start();
	const pod = await bed.runPod();
	const id = await bed.run(pod);
	await freeze(bed.daemon.cgroups, cgroupOf(bed, id));
	await readAll(bed, pod, id);
	const exec = bed.cri.ExecSync({ container_id: id, cmd: ['true'], timeout: 1n });
	assert.equal((await failureOf(exec)).condition, 'DEADLINE_EXCEEDED');
	await bed.cri.UpdateContainerResources({ container_id: id, linux: { cpu_shares: 512n } });
	await bed.cri.ReopenContainerLog({ container_id: id }).catch((error: unknown) => {
		assert.match(String(error), /without a log path/);
	});
	await bed.cri.StopContainer({ container_id: id, timeout: 1n });
	assert.deepEqual(await exitOf(bed, id), ['CONTAINER_EXITED', 137]);
	await bed.cri.RemoveContainer({ container_id: id });
});

test('a command that is frozen while it runs does not keep its caller', async () => {
	await using bed = await TestBed.start();
	const pod = await bed.runPod();
	const id = await bed.run(pod);
	const script = 'touch /tmp/runs; sleep 1000';
	const exec = bed.cri.ExecSync({ container_id: id, cmd: ['sh', '-c', script], timeout: 2n });
	const failure = failureOf(exec);
	await bed.sh(id, 'until test -e /tmp/runs; do sleep 0.01; done');
	await freeze(bed.daemon.cgroups, cgroupOf(bed, id));
	assert.equal((await failure).condition, 'DEADLINE_EXCEEDED');
	await bed.cri.RemoveContainer({ container_id: id });
});

test('a command that is over keeps no caller by children that hold its output', async () => {
	await using bed = await TestBed.start();
	const id = await bed.run(await bed.runPod());
	const cmd = ['sh', '-c', 'setsid sh -c "setsid sleep 1000 & exit" & sleep 1000'];
	const exec = bed.cri.ExecSync({ container_id: id, cmd, timeout: 1n }, { timeoutMs: 8_000 });
	assert.match((await failureOf(exec)).message, /did not end within 1 s/);
});

for (const [what, config] of [
	['its own', {}],
	["the pod's", { linux: { security_context: { namespace_options: { pid: 'POD' } } } }],
] as const) {
	test(`a frozen container in ${what} process namespace is removed without a stop`, async () => {
		await using bed = await TestBed.start();
		const pod = await bed.runPod(
			config === undefined ? {} : { linux: { security_context: config.linux?.security_context } },
		);
		const id = await bed.run(pod, config);
		await freeze(bed.daemon.cgroups, cgroupOf(bed, id));
		await bed.cri.RemoveContainer({ container_id: id });
		await bed.cri.RemovePodSandbox({ pod_sandbox_id: pod });
	});
}

test('a container that is frozen before its start can be removed, also while it starts', async () => {
	await using bed = await TestBed.start();
	const pod = await bed.runPod();
	const id = await bed.create(pod);
	await freeze(bed.daemon.cgroups, cgroupOf(bed, id));
	const starting = failureOf(bed.cri.StartContainer({ container_id: id }));
	await until('it starts', () => bed.daemon.containers.locks.size > 0);
	await readAll(bed, pod, id);
	await bed.cri.RemoveContainer({ container_id: id });
	assert.equal((await starting).condition, 'FAILED_PRECONDITION');
});

test("a pod whose own process is frozen can be removed, and so can one that froze a part of its container's cgroup", async () => {
	await using bed = await TestBed.start();
	const pod = await bed.runPod();
	const id = await bed.run(pod);
	const { cgroups, containers } = bed.daemon;
	const path = `${cgroupOf(bed, id)}/below`;
	for (const folder of cgroups.folders(path)) {
		if (cgroups.version === 1 && !folder.includes('/freezer/')) continue;
		mkdirSync(folder);
		writeFileSync(join(folder, 'cgroup.procs'), String(containers.get(id)?.status.process?.pid));
	}
	await freeze(cgroups, path);
	await freeze(cgroups, sandboxCgroup(bed, pod));
	await bed.cri.StopPodSandbox({ pod_sandbox_id: pod });
	await bed.cri.RemovePodSandbox({ pod_sandbox_id: pod });
});

test('a pod whose shim is dead and whose processes are frozen can be removed', async () => {
	await using bed = await TestBed.start();
	const pod = await bed.runPod();
	const id = await bed.run(pod);
	await freeze(bed.daemon.cgroups, cgroupOf(bed, id));
	await freeze(bed.daemon.cgroups, sandboxCgroup(bed, pod));
	process.kill(bed.daemon.sandboxes.get(pod)?.status.shim?.pid ?? assert.fail(), 'SIGKILL');
	await bed.daemon.containers.exited(id);
	await bed.cri.RemovePodSandbox({ pod_sandbox_id: pod });
});

test('a pod whose shim hangs can be read and removed', async () => {
	await using bed = await TestBed.start();
	const pod = await bed.runPod();
	const id = await bed.run(pod);
	process.kill(bed.daemon.sandboxes.get(pod)?.status.shim?.pid ?? assert.fail(), 'SIGSTOP');
	const stopping = bed.cri.StopContainer({ container_id: id, timeout: 1n }).catch(String);
	await readAll(bed, pod, id);
	await bed.cri.RemovePodSandbox({ pod_sandbox_id: pod });
	await stopping;
	assert.deepEqual(bed.leftObjects(), []);
});

test('a pod without containers whose shim hangs can be removed', async () => {
	await using bed = await TestBed.start();
	const pod = await bed.runPod();
	const shim = bed.daemon.sandboxes.get(pod)?.status.shim ?? assert.fail();
	process.kill(shim.pid, 'SIGSTOP');
	await bed.cri.StopPodSandbox({ pod_sandbox_id: pod });
	await bed.cri.RemovePodSandbox({ pod_sandbox_id: pod });
	assert.equal(await checkProcess(shim), false, 'the shim that was killed has ended');
});

test('processes that nothing kills: calls end with DEADLINE_EXCEEDED, and succeed once they can die', async (t) => {
	await using bed = await TestBed.start();
	const { cgroups } = bed.daemon;
	if (cgroups.version === 2) return t.skip('v2 kills what is frozen, whoever froze it');
	const parent = `/${bed.instance}/above`;
	const pod = await bed.runPod({ linux: { cgroup_parent: parent } });
	const id = await bed.run(pod);
	await freeze(cgroups, parent);
	try {
		const stopping = failureOf(bed.cri.StopContainer({ container_id: id, timeout: 0n }));
		const removing = failureOf(bed.cri.RemovePodSandbox({ pod_sandbox_id: pod }));
		await until('the pod stops', () => bed.daemon.sandboxes.stops.size > 0);
		await readAll(bed, pod, id);
		const other = await bed.runPod();
		await bed.cri.RemovePodSandbox({ pod_sandbox_id: other });
		const failure = await stopping;
		assert.equal(failure.condition, 'DEADLINE_EXCEEDED');
		assert.match(failure.message, /still runs 20 s after SIGKILL/);
		assert.equal((await removing).condition, 'DEADLINE_EXCEEDED');
		await readAll(bed, pod, id);
	} finally {
		writeFileSync(freezerFile(cgroups, parent), 'THAWED');
	}
	await bed.cri.RemovePodSandbox({ pod_sandbox_id: pod });
	assert.deepEqual(bed.leftObjects(), []);
});
