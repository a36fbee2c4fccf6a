import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { StatusError } from '#base/errors.ts';
import { RPCS } from '#cri-api';
import type { TestCri } from '../support/cri-client.ts';
import { setStage } from './stage.ts';

test('the same walk over the socket, with our own client', async (context) => {
	await using stage = await setStage();
	const { daemon, image, repository } = stage;
	const { cri, called } = noting(daemon.cri);
	const listening = new AbortController();
	const heard: { id: string; type: string }[] = [];
	const hearing = (async () => {
		for await (const event of cri.GetContainerEvents({}, { signal: listening.signal }))
			heard.push({ id: event.container_id, type: event.container_event_type });
	})();

	await context.test('Version, Status, RuntimeConfig', async () => {
		const version = await cri.Version();
		assert.equal(version.runtime_name, 'gantry');
		assert.equal(version.runtime_api_version, 'v1');
		const { status, info } = await cri.Status({ verbose: true });
		assert.deepEqual(
			status?.conditions.map(({ type, status }) => [type, status]),
			[
				['RuntimeReady', true],
				['NetworkReady', true],
			],
		);
		assert.equal(JSON.parse(info.config ?? '{}').instance, daemon.instance);
		assert.equal((await cri.RuntimeConfig()).linux?.cgroup_driver, 'CGROUPFS');
		await cri.UpdateRuntimeConfig({ runtime_config: { network_config: { pod_cidr: '' } } });
	});

	let imageId = '';
	await context.test('PullImage, ListImages, ImageStatus, ImageFsInfo', async () => {
		const { image_ref } = await cri.PullImage({ image: { image } });
		const { images } = await cri.ListImages();
		assert.deepEqual(
			images.map(({ repo_tags }) => repo_tags),
			[[image]],
		);
		imageId = images[0]?.id ?? '';
		assert.equal((await cri.ImageStatus({ image: { image: image_ref } })).image?.id, imageId);
		assert.match(images[0]?.repo_digests[0] ?? '', new RegExp(`^${repository}@sha256:`));
		assert.equal((await cri.ImageStatus({ image: { image: 'no/such/image' } })).image, null);
		const { image_filesystems, container_filesystems } = await cri.ImageFsInfo();
		assert.ok(Number(image_filesystems[0]?.used_bytes?.value) > 100_000);
		assert.equal(container_filesystems.length, 1);
	});

	let pod = '';
	await context.test('RunPodSandbox, ListPodSandbox, PodSandboxStatus', async () => {
		pod = (await cri.RunPodSandbox({ config: stage.pod })).pod_sandbox_id;
		const { items } = await cri.ListPodSandbox({ filter: { label_selector: { app: 'walk' } } });
		assert.deepEqual(
			items.map(({ id, state }) => [id, state]),
			[[pod, 'SANDBOX_READY']],
		);
		assert.deepEqual((await cri.ListPodSandbox({ filter: { label_selector: { app: 'other' } } })).items, []);
		const { status } = await cri.PodSandboxStatus({ pod_sandbox_id: pod });
		assert.match(status?.network?.ip ?? '', /^[0-9.]+$/);
		assert.deepEqual(status?.annotations, { note: 'kept' });
	});

	let container = '';
	const statusOf = async () => (await cri.ContainerStatus({ container_id: container })).status;
	await context.test('CreateContainer, StartContainer, ListContainers, ContainerStatus', async () => {
		const config = { ...stage.container('main'), envs: [{ key: 'WHO', value: Buffer.from('walker') }] };
		container = (await cri.CreateContainer({ pod_sandbox_id: pod, config, sandbox_config: stage.pod }))
			.container_id;
		assert.equal((await statusOf())?.state, 'CONTAINER_CREATED');
		await cri.StartContainer({ container_id: container });
		const { containers } = await cri.ListContainers({ filter: { pod_sandbox_id: pod } });
		assert.deepEqual(
			containers.map(({ id, state, image_id }) => [id, state, image_id]),
			[[container, 'CONTAINER_RUNNING', imageId]],
		);
		assert.equal((await statusOf())?.log_path, join(stage.pod.log_directory, 'main.log'));
	});

	await context.test('ExecSync', async () => {
		const run = async (...cmd: string[]) => await cri.ExecSync({ container_id: container, cmd, timeout: 10 });
		const { stdout, stderr, exit_code } = await run('sh', '-c', 'hostname; echo err >&2; exit 7');
		assert.deepEqual(
			[Buffer.from(stdout).toString(), Buffer.from(stderr).toString(), exit_code],
			['walk-host\n', 'err\n', 7],
		);
		await assert.rejects(cri.ExecSync({ container_id: container, cmd: ['sleep', '60'], timeout: 1 }), {
			condition: 'DEADLINE_EXCEEDED',
		});
	});

	await context.test('the log, and ReopenContainerLog', async () => {
		const path = join(stage.pod.log_directory, 'main.log');
		const lines = readFileSync(path, 'utf8')
			.trimEnd()
			.split('\n')
			.map((line) => line.replace(/^\S+ /, ''));
		assert.deepEqual(lines.toSorted(), ['stderr F trouble', 'stdout F hello walker']);
		await cri.ReopenContainerLog({ container_id: container });
		assert.ok(existsSync(path));
	});

	await context.test('ContainerStats, ListContainerStats, PodSandboxStats, ListPodSandboxStats', async () => {
		const { stats } = await cri.ContainerStats({ container_id: container });
		assert.ok(Number(stats?.memory?.working_set_bytes?.value) > 0);
		assert.equal((await cri.ListContainerStats({ filter: { pod_sandbox_id: pod } })).stats.length, 1);
		const podStats = (await cri.PodSandboxStats({ pod_sandbox_id: pod })).stats;
		assert.equal(podStats?.linux?.network?.default_interface?.name, 'eth0');
		assert.equal(
			(await cri.ListPodSandboxStats({ filter: { id: pod } })).stats[0]?.linux?.containers.length,
			1,
		);
	});

	await context.test('the same lists, streamed', async () => {
		const sandboxes = await Array.fromAsync(cri.StreamPodSandboxes());
		assert.deepEqual(
			sandboxes.flatMap(({ pod_sandboxes }) => pod_sandboxes),
			(await cri.ListPodSandbox()).items,
		);
		const containers = await Array.fromAsync(cri.StreamContainers());
		assert.deepEqual(
			containers.flatMap((piece) => piece.containers),
			(await cri.ListContainers()).containers,
		);
		const images = await Array.fromAsync(cri.StreamImages());
		assert.deepEqual(
			images.flatMap((piece) => piece.images),
			(await cri.ListImages()).images,
		);
		const stats = await Array.fromAsync(cri.StreamContainerStats());
		assert.equal(stats[0]?.container_stats[0]?.attributes?.id, container);
		const podStats = await Array.fromAsync(cri.StreamPodSandboxStats());
		assert.equal(podStats[0]?.pod_sandbox_stats[0]?.attributes?.id, pod);
		const metrics = await Array.fromAsync(cri.StreamPodSandboxMetrics());
		assert.equal(metrics[0]?.pod_sandbox_metrics[0]?.pod_sandbox_id, pod);
	});

	await context.test('UpdatePodSandboxResources', async () => {
		await cri.UpdatePodSandboxResources({ pod_sandbox_id: pod, resources: { cpu_shares: 512 } });
		const { info } = await cri.PodSandboxStatus({ pod_sandbox_id: pod, verbose: true });
		assert.equal(JSON.parse(info.info ?? '').resources.cpu_shares, '512');
	});

	await context.test('UpdateContainerResources', async () => {
		await cri.UpdateContainerResources({
			container_id: container,
			linux: { memory_limit_in_bytes: 32 * 1024 * 1024 },
		});
		assert.equal((await statusOf())?.resources?.linux?.memory_limit_in_bytes, String(32 * 1024 * 1024));
	});

	await context.test('ListMetricDescriptors, ListPodSandboxMetrics', async () => {
		const { descriptors } = await cri.ListMetricDescriptors();
		const described = new Set(descriptors.map(({ name }) => name));
		const { pod_metrics } = await cri.ListPodSandboxMetrics();
		assert.deepEqual(
			pod_metrics.map(({ pod_sandbox_id }) => pod_sandbox_id),
			[pod],
		);
		const told = pod_metrics.flatMap(({ metrics, container_metrics }) => [
			...metrics,
			...container_metrics.flatMap((one) => one.metrics),
		]);
		assert.ok(told.length > 0);
		assert.deepEqual(
			told.filter(({ name }) => !described.has(name)),
			[],
		);
	});

	await context.test('Exec, Attach, PortForward', async () => {
		const urls = await Promise.all([
			cri.Exec({ container_id: container, cmd: ['true'], stdout: true }),
			cri.Attach({ container_id: container, stdout: true }),
			cri.PortForward({ pod_sandbox_id: pod, port: [80] }),
		]);
		for (const { url } of urls) assert.match(url, /^https?:\/\/127\.0\.0\.1:/);
		assert.equal(new Set(urls.map(({ url }) => url)).size, 3);
	});

	await context.test('CheckpointContainer, CheckpointPod, RestorePod', async () => {
		const where = (name: string) => join(daemon.folder, name);
		await unlessUnimplemented(
			cri.CheckpointContainer({ container_id: container, location: where('c.tar'), timeout: 30 }),
		);
		await unlessUnimplemented(cri.CheckpointPod({ pod_sandbox_id: pod, output_path: where('pod') }));
		await assert.rejects(cri.RestorePod({ checkpoint_path: where('nothing') }));
		assert.equal((await statusOf())?.state, 'CONTAINER_RUNNING');
	});

	await context.test('StopContainer, RemoveContainer', async () => {
		await cri.StopContainer({ container_id: container, timeout: 10 });
		const status = await statusOf();
		assert.deepEqual(
			[status?.state, status?.exit_code, status?.reason],
			['CONTAINER_EXITED', 0, 'Completed'],
		);
		await cri.RemoveContainer({ container_id: container });
		await assert.rejects(statusOf(), { condition: 'NOT_FOUND' });
		await cri.RemoveContainer({ container_id: container });
	});

	await context.test('StopPodSandbox, RemovePodSandbox, RemoveImage', async () => {
		await cri.StopPodSandbox({ pod_sandbox_id: pod });
		assert.equal((await cri.PodSandboxStatus({ pod_sandbox_id: pod })).status?.state, 'SANDBOX_NOTREADY');
		await cri.RemovePodSandbox({ pod_sandbox_id: pod });
		assert.deepEqual((await cri.ListPodSandbox()).items, []);
		await cri.RemoveImage({ image: { image } });
		assert.deepEqual((await cri.ListImages()).images, []);
	});

	await context.test('GetContainerEvents told all of it, in order', async () => {
		listening.abort();
		await hearing;
		const of = (id: string) =>
			heard.filter((event) => event.id === id).map(({ type }) => type.replace(/^CONTAINER_|_EVENT$/g, ''));
		assert.deepEqual(of(container), ['CREATED', 'STARTED', 'STOPPED', 'DELETED']);
		assert.deepEqual(of(pod), ['CREATED', 'STARTED', 'STOPPED', 'DELETED']);
	});

	await context.test('no RPC was left out', () => {
		assert.deepEqual(
			Object.keys(RPCS).filter((name) => !called.has(name)),
			[],
		);
	});
});

/** The same client, and the names of what is called through it. */
function noting(cri: TestCri): { readonly cri: TestCri; readonly called: ReadonlySet<string> } {
	const called = new Set<string>();
	const get = (target: TestCri, name: string) => {
		called.add(name);
		return Reflect.get(target, name) as unknown;
	};
	return { cri: new Proxy(cri, { get }), called };
}

/** For what needs a program of the machine (CRIU): where it is not, the answer says what to do. */
async function unlessUnimplemented(call: Promise<unknown>): Promise<void> {
	await call.catch((error: StatusError) => assert.equal(error.condition, 'UNIMPLEMENTED', error.message));
}
