/** ListMetricDescriptors, ListPodSandboxMetrics and its stream, as a kubelet passes them on to Prometheus. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Metric, PodSandboxMetrics } from '#cri-api';
import { until } from '../support/until.ts';
import { TestBed } from './harness.ts';

const MIB = 1 << 20;
let bed: TestBed;
let pod: string;
let container: string;
let keys: Map<string, readonly string[]>;

before(async () => {
	bed = await TestBed.start(['network.provider=builtin']);
	pod = await bed.runPod({ metadata: { name: 'web', namespace: 'shop', uid: 'u', attempt: 0 } });
	container = await bed.run(pod, {
		metadata: { name: 'main', attempt: 0 },
		command: [
			'sh',
			'-c',
			'dd if=/dev/zero of=/blob bs=1M count=2 2>/dev/null; touch /ready; while :; do :; done',
		],
		linux: {
			resources: { cpu_period: 100_000, cpu_quota: 50_000, memory_limit_in_bytes: 64 * MIB, cpu_shares: 512 },
		},
	});
	await bed.sh(container, 'while ! [ -e /ready ]; do sleep 0.01; done');
	await bed.create(pod, { metadata: { name: 'waits', attempt: 0 } });
	const { descriptors } = await bed.cri.ListMetricDescriptors();
	keys = new Map(descriptors.map(({ name, label_keys }) => [name, label_keys]));
});
after(async () => await bed[Symbol.asyncDispose]());

async function metricsOf(id: string): Promise<PodSandboxMetrics> {
	const { pod_metrics } = await bed.cri.ListPodSandboxMetrics();
	return (
		pod_metrics.find(({ pod_sandbox_id }) => pod_sandbox_id === id) ?? assert.fail('no metrics of the pod')
	);
}

async function ofContainer(): Promise<readonly Metric[]> {
	const { container_metrics } = await metricsOf(pod);
	return container_metrics.find(({ container_id }) => container_id === container)?.metrics ?? assert.fail();
}

const labelsOf = ({ name, label_values }: Metric): Record<string, string> =>
	Object.fromEntries((keys.get(name) ?? []).map((key, index) => [key, label_values[index] ?? '']));

const amountOf = (metrics: readonly Metric[], name: string): number =>
	Number(metrics.find((metric) => metric.name === name)?.value?.value ?? assert.fail(`no ${name}`));

test('every metric has a descriptor, a text, and a value for each label; none comes twice', async () => {
	const { descriptors } = await bed.cri.ListMetricDescriptors();
	assert.equal(keys.size, descriptors.length, 'one descriptor for a name');
	for (const { name, help, label_keys } of descriptors) {
		assert.match(name, /^container_[a-z_]+$/);
		assert.match(help, /\.$/);
		assert.deepEqual(label_keys.slice(0, 5), ['id', 'image', 'namespace', 'pod', 'container']);
	}
	const { metrics, container_metrics } = await metricsOf(pod);
	const all = [...metrics, ...container_metrics.flatMap((each) => each.metrics)];
	for (const { name, label_values } of all) assert.equal(label_values.length, keys.get(name)?.length, name);
	assert.equal(new Set(all.map(({ name, label_values }) => `${name} ${label_values}`)).size, all.length);
});

test('what a container uses, was promised, and has open', async () => {
	await until('it used a second of CPU, and was held back', async () => {
		const metrics = await ofContainer();
		return (
			amountOf(metrics, 'container_cpu_usage_seconds_total') > 0 &&
			amountOf(metrics, 'container_cpu_cfs_throttled_periods_total') > 0
		);
	});
	const metrics = await ofContainer();
	const value = (name: string): number => amountOf(metrics, name);
	assert.equal(value('container_spec_cpu_quota'), 50_000);
	assert.equal(value('container_spec_cpu_period'), 100_000);
	assert.equal(value('container_spec_cpu_shares'), 512);
	assert.equal(value('container_spec_memory_limit_bytes'), 64 * MIB);
	assert.equal(value('container_processes'), 1);
	assert.equal(value('container_threads'), 1);
	assert.ok(value('container_file_descriptors') >= 3);
	assert.equal(value('container_sockets'), 0);
	assert.ok(value('container_ulimits_soft') > 0);
	assert.ok(value('container_fs_usage_bytes') >= 2 * MIB);
	assert.ok(value('container_memory_usage_bytes') > 0);
	assert.ok(value('container_memory_max_usage_bytes') >= value('container_memory_working_set_bytes'));
	assert.ok(value('container_fs_limit_bytes') > value('container_fs_usage_bytes'));
	assert.ok(value('container_start_time_seconds') <= value('container_last_seen'));
	assert.equal(value('container_oom_events_total'), 0);
	const usage = metrics.find(({ name }) => name === 'container_cpu_usage_seconds_total') ?? assert.fail();
	const { image, ...labels } = labelsOf(usage);
	assert.match(image ?? '', /busybox/);
	assert.deepEqual(labels, { id: container, namespace: 'shop', pod: 'web', container: 'main', cpu: 'total' });
	assert.deepEqual([usage.metric_type, usage.timestamp], ['COUNTER', '0'], 'a counter, read just now');
	const faults = metrics.filter(({ name }) => name === 'container_memory_failures_total').map(labelsOf);
	assert.deepEqual(faults.map(({ failure_type, scope }) => `${failure_type} ${scope}`).toSorted(), [
		'pgfault container',
		'pgfault hierarchy',
		'pgmajfault container',
		'pgmajfault hierarchy',
	]);
});

test('limits that were changed are told', async () => {
	await bed.cri.UpdateContainerResources({
		container_id: container,
		linux: { memory_limit_in_bytes: 96 * MIB },
	});
	assert.equal(amountOf(await ofContainer(), 'container_spec_memory_limit_bytes'), 96 * MIB);
});

test('the interfaces of a pod, and none of the node', async () => {
	const { metrics } = await metricsOf(pod);
	const received = metrics.find(({ name }) => name === 'container_network_receive_bytes_total');
	assert.deepEqual(labelsOf(received ?? assert.fail()), {
		id: pod,
		image: '',
		namespace: 'shop',
		pod: 'web',
		container: 'POD',
		interface: 'eth0',
	});
	const host = await bed.runPod({ linux: { security_context: { namespace_options: { network: 'NODE' } } } });
	assert.deepEqual((await metricsOf(host)).metrics, []);
	await bed.cri.RemovePodSandbox({ pod_sandbox_id: host });
});

test('StreamPodSandboxMetrics tells of every pod that is ready', async () => {
	const stopped = await bed.runPod();
	await bed.cri.StopPodSandbox({ pod_sandbox_id: stopped });
	const streamed = await Array.fromAsync(bed.cri.StreamPodSandboxMetrics());
	const [only, ...others] = streamed.flatMap(({ pod_sandbox_metrics }) => pod_sandbox_metrics);
	assert.deepEqual([only?.pod_sandbox_id, others], [pod, []]);
	assert.deepEqual(
		only?.container_metrics.map(({ metrics }) => metrics.length > 40),
		[true, true],
	);
});
