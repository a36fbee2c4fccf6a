/** Resources that change while a pod runs: of its containers all or nothing, of the pod as a whole remembered. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { LinuxContainerResourcesInit } from '#cri-api';
import { failureOf, TestBed } from './harness.ts';

let bed: TestBed;
let pod: string;

before(async () => {
	bed = await TestBed.start();
	pod = await bed.runPod({
		linux: { resources: { cpu_shares: 1024 }, overhead: { memory_limit_in_bytes: 1 << 20 } },
	});
});
after(async () => await bed[Symbol.asyncDispose]());

const LIMIT = /\.(shares|cfs_quota_us|cfs_period_us|limit_in_bytes|cpus|mems|weight|max|min|low|high)$/;

/** Every file with a limit of the container's cgroup, in every hierarchy, with what is in it. */
function limitsOf(container: string): Record<string, string> {
	const { cgroupsPath } = bed.daemon.containers.get(container)?.metadata ?? assert.fail();
	const files = bed.daemon.cgroups
		.folders(cgroupsPath)
		.flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)));
	return Object.fromEntries(
		files.filter((file) => LIMIT.test(file)).map((file) => [file, readFileSync(file, 'utf8')]),
	);
}

async function resourcesOf(container: string): Promise<LinuxContainerResourcesInit | null | undefined> {
	return (await bed.cri.ContainerStatus({ container_id: container })).status?.resources?.linux;
}

test('a value that the kernel refuses leaves every limit as it was', async () => {
	const container = await bed.run(pod, {
		linux: {
			resources: { cpu_shares: 512, cpu_period: 100_000, cpu_quota: 50_000, memory_limit_in_bytes: 64 << 20 },
		},
	});
	const [files, told] = [limitsOf(container), await resourcesOf(container)];
	assert.ok(Object.keys(files).length > 5);
	const refused: readonly LinuxContainerResourcesInit[] = [
		// There is no such processor; all others are fine.
		{
			cpu_shares: 256,
			cpu_quota: 20_000,
			cpu_period: 50_000,
			memory_limit_in_bytes: 96 << 20,
			cpuset_cpus: '4000',
		},
		{ cpu_shares: 256, memory_limit_in_bytes: 96 << 20, cpuset_mems: '900' },
		// A period of ten seconds is too long.
		{ cpu_shares: 256, memory_limit_in_bytes: 96 << 20, cpu_period: 10_000_000, cpu_quota: 20_000 },
		// Less than a millisecond is too short.
		{ memory_limit_in_bytes: 96 << 20, cpu_quota: 10 },
	];
	for (const linux of refused) {
		const failure = await failureOf(bed.cri.UpdateContainerResources({ container_id: container, linux }));
		assert.equal(failure.condition, 'FAILED_PRECONDITION', failure.message);
		assert.deepEqual(limitsOf(container), files, failure.message);
		assert.deepEqual(await resourcesOf(container), told);
	}
	await bed.cri.UpdateContainerResources({ container_id: container, linux: { cpu_shares: 256 } });
	assert.notDeepEqual(limitsOf(container), files);
	await bed.cri.RemoveContainer({ container_id: container });
});

async function podInfo(): Promise<Record<'resources' | 'overhead', Record<string, string> | undefined>> {
	const { info } = await bed.cri.PodSandboxStatus({ pod_sandbox_id: pod, verbose: true });
	const { resources, overhead } = JSON.parse(info.info ?? '');
	return { resources, overhead };
}

test('the resources of a pod as a whole: remembered, shown, and there after a restart', async () => {
	assert.equal((await podInfo()).resources?.cpu_shares, '1024');
	await bed.cri.UpdatePodSandboxResources({
		pod_sandbox_id: pod.slice(0, 13),
		resources: { cpu_shares: 2048, cpu_quota: 200_000, cpu_period: 100_000 },
	});
	const check = async (): Promise<void> => {
		const { resources, overhead } = await podInfo();
		assert.deepEqual([resources?.cpu_shares, resources?.cpu_quota], ['2048', '200000']);
		assert.equal(overhead?.memory_limit_in_bytes, String(1 << 20), 'what was not sent is as it was');
	};
	await check();
	await bed.crash();
	await bed.start();
	await check();
});

test('resources of a pod that make no sense, or of none, are refused', async () => {
	const refuse = async (
		request: Parameters<TestBed['cri']['UpdatePodSandboxResources']>[0],
	): Promise<string> => (await failureOf(bed.cri.UpdatePodSandboxResources(request))).condition;
	assert.equal(await refuse({ pod_sandbox_id: '' }), 'INVALID_ARGUMENT');
	assert.equal(await refuse({ pod_sandbox_id: 'nosuch' }), 'NOT_FOUND');
	const before = await podInfo();
	const bad = { pod_sandbox_id: pod, overhead: { cpu_shares: 7 }, resources: { cpu_period: -1 } };
	assert.equal(await refuse(bad), 'INVALID_ARGUMENT');
	assert.deepEqual(await podInfo(), before, 'nothing of it is kept');
	const stopped = await bed.runPod();
	await bed.cri.StopPodSandbox({ pod_sandbox_id: stopped });
	assert.equal(
		await refuse({ pod_sandbox_id: stopped, resources: { cpu_shares: 2 } }),
		'FAILED_PRECONDITION',
	);
	await bed.cri.RemovePodSandbox({ pod_sandbox_id: stopped });
});
