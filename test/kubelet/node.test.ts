/** What a kubelet does beside making pods: deadlines, probes, logs, sizes, images, restarts and shutdowns. */
import assert from 'node:assert/strict';
import { renameSync } from 'node:fs';
import { test } from 'node:test';
import { assertCounted, countingCommand } from '../chaos/counter.ts';
import { failureOf } from '../lifecycle/harness.ts';
import type { TestCri } from '../support/cri-client.ts';
import { registryAt } from '../support/registry.ts';
import { until } from '../support/until.ts';
import { obeys, podOf, READY, setUpNode } from './node.ts';
import { containerConfig, sandboxConfig } from './pod-spec.ts';

const MIB = 1024 * 1024;
/** Of what is 2 minutes on a node, and 4 for a sandbox and a pull: the call is cut off in the middle. */
const SHORT = { timeoutMs: 15 };

test('a call that a deadline cut off is made again with the same metadata, and there is one of everything', async () => {
	await using node = await setUpNode();
	const { cri } = node.daemon;
	await using kubelet = node.startKubelet();
	const pod = podOf([{ name: 'main', ...obeys() }]);
	const imageId = await again((options) => cri.PullImage({ image: { image: node.image } }, options));
	const run = { config: sandboxConfig(pod, node.folders, 0) };
	const { pod_sandbox_id } = await again((options) => cri.RunPodSandbox(run, options));
	const [spec = assert.fail()] = pod.containers;
	const create = {
		pod_sandbox_id,
		config: containerConfig(pod, spec, node.folders, imageId.image_ref, 0),
		sandbox_config: run.config,
	};
	const { container_id } = await again((options) => cri.CreateContainer(create, options));
	await cri.StartContainer({ container_id });
	assert.equal(await kubelet.bringUp(pod), pod_sandbox_id, 'there is nothing left to do');
	assert.deepEqual(
		[(await cri.ListPodSandbox()).items.length, (await cri.ListContainers()).containers.length],
		[1, 1],
	);
	await again((options) => cri.StopContainer({ container_id, timeout: 30 }, options));
	await again((options) => cri.StopPodSandbox({ pod_sandbox_id }, options));
	assert.equal((await kubelet.statusOf(pod, 'main')).exit_code, 0, 'the grace went on while nobody waited');
	await again((options) => cri.RemoveContainer({ container_id }, options));
	await again((options) => cri.RemovePodSandbox({ pod_sandbox_id }, options));
	assert.deepEqual((await cri.ListPodSandbox()).items, []);
});

/** With a deadline that may cut it off, then with one that does not. */
async function again<T>(call: (options?: { timeoutMs: number }) => Promise<T>): Promise<T> {
	await call(SHORT).catch((error: { condition?: string }) => {
		assert.equal(error.condition, 'DEADLINE_EXCEEDED', String(error));
	});
	return call();
}

test('a probe that takes too long is a timeout, ends with all its children, and others beside it answer', async () => {
	await using node = await setUpNode();
	const { cri } = node.daemon;
	await using kubelet = node.startKubelet();
	const pod = podOf([{ name: 'main', ...obeys() }]);
	await kubelet.bringUp(pod);
	const { id: container_id } = await kubelet.statusOf(pod, 'main');
	const probe = (script: string) => cri.ExecSync({ container_id, cmd: ['sh', '-c', script], timeout: 1 });
	const slow = Array.from({ length: 5 }, () => failureOf(probe('sleep 7777 & sleep 7777')));
	const quick = await Promise.all(Array.from({ length: 20 }, (_, code) => probe(`exit ${code}`)));
	assert.deepEqual(
		quick.map(({ exit_code }) => exit_code),
		quick.map((_, code) => code),
	);
	for (const { condition } of await Promise.all(slow)) assert.equal(condition, 'DEADLINE_EXCEEDED');
	const { stdout } = await probe('ps -o args');
	assert.doesNotMatch(Buffer.from(stdout).toString(), /^sleep 7777/m);
	assert.equal((await kubelet.statusOf(pod, 'main')).state, 'CONTAINER_RUNNING');
	await kubelet.kill(pod);
	await kubelet.remove(pod);
});

test('logs are renamed and opened anew while a container writes: no line is lost', async () => {
	await using node = await setUpNode();
	await using kubelet = node.startKubelet();
	const count = countingCommand(20_000)[2]?.replace(/; exit 0$/, '');
	const pod = podOf([{ name: 'talks', script: obeys(count).script }], { graceSeconds: 1 });
	await kubelet.bringUp(pod);
	const { id: container_id, log_path } = await kubelet.statusOf(pod, 'talks');
	const rotated: string[] = [];
	for (let rotation = 1; rotation <= 10; rotation++) {
		rotated.push(`${log_path}.${rotation}`);
		renameSync(log_path, `${log_path}.${rotation}`);
		await node.daemon.cri.ReopenContainerLog({ container_id });
	}
	await until('it has said all', () => assertCounted([...rotated, log_path]) === 20_000);
	await kubelet.kill(pod);
	await kubelet.remove(pod);
});

test('a pod is resized in place: the limits change, the processes stay', async () => {
	await using node = await setUpNode();
	const { cri } = node.daemon;
	await using kubelet = node.startKubelet();
	const pod = podOf([{ name: 'main', ...obeys(), memoryBytes: 64 * MIB }]);
	const pod_sandbox_id = await kubelet.bringUp(pod);
	const before = await kubelet.statusOf(pod, 'main');
	for (const [memory, shares] of [
		[128 * MIB, 512],
		[48 * MIB, 256],
	] as const) {
		const linux = {
			memory_limit_in_bytes: memory,
			cpu_shares: shares,
			cpu_quota: shares * 100,
			cpu_period: 100_000,
		};
		await cri.UpdatePodSandboxResources({ pod_sandbox_id, resources: linux });
		await cri.UpdateContainerResources({ container_id: before.id, linux });
		const now = await kubelet.statusOf(pod, 'main');
		assert.deepEqual([now.state, now.started_at], ['CONTAINER_RUNNING', before.started_at]);
		const { memory_limit_in_bytes, cpu_shares, cpu_quota } = now.resources?.linux ?? {};
		assert.deepEqual([memory_limit_in_bytes, cpu_shares, cpu_quota].map(Number), [
			memory,
			shares,
			shares * 100,
		]);
	}
	await kubelet.kill(pod);
	await kubelet.remove(pod);
});

test('images that no container is made of are collected, and pulled again when a pod wants them', async () => {
	await using node = await setUpNode();
	const { cri } = node.daemon;
	await using kubelet = node.startKubelet();
	const pod = podOf([{ name: 'main', ...obeys() }]);
	await kubelet.bringUp(pod);
	const { reference } = await registryAt(node.image.split('/')[0] ?? '').pushImage({
		name: 'old/image',
		layers: [{ entries: [{ name: 'big', data: Buffer.alloc(MIB, 'x') }] }],
	});
	await kubelet.pullIfMissing(reference);
	const used = async () => Number((await cri.ImageFsInfo()).image_filesystems[0]?.used_bytes?.value);
	const full = await used();
	assert.deepEqual(await kubelet.collectImages(), []);
	const { images } = await cri.ListImages();
	assert.deepEqual(
		images.map(({ repo_tags }) => repo_tags),
		[[node.image]],
	);
	await until('the layers are gone', async () => full - (await used()) >= MIB);
	await kubelet.kill(pod);
	await kubelet.remove(pod);
	await kubelet.collectImages();
	assert.deepEqual((await cri.ListImages()).images, []);
	await kubelet.bringUp(pod);
	await kubelet.kill(pod);
	await kubelet.remove(pod);
});

test('an image is mounted as a volume, and told by its digest', async () => {
	await using node = await setUpNode();
	await using kubelet = node.startKubelet();
	const { reference, imageId } = await registryAt(node.image.split('/')[0] ?? '').pushImage({
		name: 'data/image',
		layers: [{ entries: [{ name: 'models/' }, { name: 'models/one', data: 'one' }] }],
	});
	assert.equal(await kubelet.pullIfMissing(reference), imageId);
	const mount = {
		container_path: '/data',
		image: { image: imageId, user_specified_image: reference },
		image_sub_path: 'models',
		readonly: true,
	};
	const pod = podOf([{ name: 'main', ...obeys(), mounts: [mount] }]);
	await kubelet.bringUp(pod);
	const { id: container_id } = await kubelet.statusOf(pod, 'main');
	const cmd = ['sh', '-c', 'cat /data/one; echo two > /data/two'];
	const { stdout, exit_code } = await node.daemon.cri.ExecSync({ container_id, cmd, timeout: 10 });
	assert.deepEqual([Buffer.from(stdout).toString(), exit_code === 0], ['one', false], 'it can only be read');
	assert.deepEqual(await kubelet.collectImages(), [imageId], 'a volume is a use');
	await kubelet.kill(pod);
	await kubelet.remove(pod);
	assert.deepEqual(await kubelet.collectImages(), []);
	assert.deepEqual((await node.daemon.cri.ListImages()).images, []);
});

test('a kubelet that starts again lists first and goes on; so it does when the daemon is killed beneath it', async () => {
	await using node = await setUpNode();
	const pods = Array.from({ length: 3 }, () =>
		podOf([
			{ name: 'init', kind: 'init', script: 'true' },
			{ name: 'main', ...obeys() },
		]),
	);
	const first = node.startKubelet();
	const sandboxes = await Promise.all(pods.map((pod) => first.bringUp(pod)));
	const containers = await idsOf(node.daemon.cri);
	await first[Symbol.asyncDispose]();
	for (const killed of [false, true]) {
		if (killed) {
			await node.daemon.stop('SIGKILL');
			await node.daemon.start();
		}
		await using kubelet = node.startKubelet();
		await Promise.all([node.daemon.cri.Version(), node.daemon.cri.Status(), node.daemon.cri.ImageFsInfo()]);
		assert.deepEqual(await Promise.all(pods.map((pod) => kubelet.bringUp(pod))), sandboxes);
		assert.deepEqual(await idsOf(node.daemon.cri), containers, 'nothing is made twice');
	}
	await using last = node.startKubelet();
	await Promise.all(pods.map((pod) => last.kill(pod)));
	await Promise.all(pods.map((pod) => last.remove(pod)));
});

async function idsOf(cri: TestCri): Promise<string[]> {
	return (await cri.ListContainers()).containers.map(({ id }) => id).sort();
}

test('a node shuts down: pods end by their priority, each with its grace, and are removed after the next start', async () => {
	await using node = await setUpNode();
	const slow = 'trap "sleep 0.3; exit 0" TERM; echo > /tmp/ready; while :; do sleep 0.1; done';
	const user = Array.from({ length: 3 }, () =>
		podOf([{ name: 'main', script: slow, ready: READY }], { graceSeconds: 10 }),
	);
	const critical = [podOf([{ name: 'main', script: slow, ready: READY }], { graceSeconds: 10 })];
	{
		await using kubelet = node.startKubelet();
		await Promise.all([...user, ...critical].map((pod) => kubelet.bringUp(pod)));
		for (const group of [user, critical]) await Promise.all(group.map((pod) => kubelet.kill(pod)));
		const ends = (pods: typeof user) =>
			Promise.all(pods.map(async (pod) => BigInt((await kubelet.statusOf(pod, 'main')).finished_at)));
		const [criticalEnd = 0n] = await ends(critical);
		for (const end of await ends(user)) assert.ok(end < criticalEnd, 'the critical pod ends last');
		for (const pod of [...user, ...critical])
			assert.equal((await kubelet.statusOf(pod, 'main')).exit_code, 0, 'it had its grace');
	}
	await node.daemon.stop();
	await node.daemon.start();
	await using kubelet = node.startKubelet();
	const { items } = await node.daemon.cri.ListPodSandbox();
	assert.deepEqual([...new Set(items.map(({ state }) => state))], ['SANDBOX_NOTREADY']);
	await Promise.all([...user, ...critical].map((pod) => kubelet.remove(pod)));
	assert.deepEqual((await node.daemon.cri.ListPodSandbox()).items, []);
});
