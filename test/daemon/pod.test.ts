import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import type { ContainerEventResponse } from '#cri-api';
import { startTestDaemon, type TestDaemon } from '../support/daemon.ts';

/** What the daemon's periphery sees of a pod: events, stats, metrics, and a stop of the daemon that the pod survives. */
describe('a daemon with a pod', () => {
	let daemon: TestDaemon;
	let pod = '';
	const events: ContainerEventResponse[] = [];
	const reader = new AbortController();
	let reading: Promise<void>;

	before(async () => {
		daemon = await startTestDaemon({
			config: 'network.provider = "builtin"\nmetrics.address = "127.0.0.1:0"\n',
		});
		const stream = daemon.cri.GetContainerEvents({}, { signal: reader.signal });
		reading = (async () => {
			for await (const event of stream) events.push(event);
		})();
		// The stream stands when another call on the same connection, made after it, is answered.
		await daemon.cri.Version();
		const metadata = { name: 'web', namespace: 'default', uid: 'uid-1', attempt: 0 };
		pod = (await daemon.cri.RunPodSandbox({ config: { metadata, labels: { app: 'web' } } })).pod_sandbox_id;
	});
	after(async () => {
		reader.abort();
		await reading;
		await daemon[Symbol.asyncDispose]();
	});

	it('gives the stats of the pod: memory, processes, and the network of its own interface', async () => {
		const { stats } = await daemon.cri.PodSandboxStats({ pod_sandbox_id: pod });
		assert.equal(stats?.attributes?.metadata?.name, 'web');
		assert.ok(Number(stats?.linux?.memory?.usage_bytes?.value) > 0);
		assert.equal(stats?.linux?.process?.process_count?.value, '1');
		assert.equal(stats?.linux?.network?.default_interface?.name, 'eth0');
		assert.deepEqual(stats?.linux?.containers, []);
		assert.ok(BigInt(stats?.linux?.cpu?.usage_core_nano_seconds?.value ?? '0') > 0n);
	});

	it('lists stats by id, part of an id, and labels', async () => {
		const idsFor = async (filter: { id?: string; label_selector?: Record<string, string> }) =>
			(await daemon.cri.ListPodSandboxStats({ filter })).stats.map(({ attributes }) => attributes?.id);
		assert.deepEqual(await idsFor({}), [pod]);
		assert.deepEqual(await idsFor({ id: pod.slice(0, 8) }), [pod]);
		assert.deepEqual(await idsFor({ id: '0000' }), []);
		assert.deepEqual(await idsFor({ label_selector: { app: 'web' } }), [pod]);
		assert.deepEqual(await idsFor({ label_selector: { app: 'other' } }), []);
	});

	it('counts it among the metrics', async () => {
		const { address } = await daemon.process.line(/Serving \/metrics/);
		const text = await (await fetch(`http://${address}/metrics`)).text();
		assert.match(text, /^gantry_sandboxes\{state="ready"\} 1$/m);
		assert.match(
			text,
			/^gantry_stage_duration_seconds_count\{operation="RunPodSandbox",stage="create"\} 1$/m,
		);
	});

	it('lets the pod live when the daemon is stopped and when it is killed, and knows it again', async () => {
		const infoOf = async () =>
			JSON.parse(
				(await daemon.cri.PodSandboxStatus({ pod_sandbox_id: pod, verbose: true })).info.info ?? '{}',
			);
		const { pid } = await infoOf();
		for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
			await daemon.stop(signal);
			assert.ok(existsSync(`/proc/${pid}`), `the pod's process is gone after ${signal}`);
			await daemon.start();
			const { status } = await daemon.cri.PodSandboxStatus({ pod_sandbox_id: pod });
			assert.equal(status?.state, 'SANDBOX_READY');
			assert.equal((await infoOf()).pid, pid);
		}
	});

	it('told the events of the pod in order, with the status of each moment', async () => {
		// The daemon was restarted, which ended the first stream.
		await reading;
		assert.deepEqual(
			events.map((event) => [event.container_event_type, event.pod_sandbox_status?.state]),
			[
				['CONTAINER_CREATED_EVENT', 'SANDBOX_READY'],
				['CONTAINER_STARTED_EVENT', 'SANDBOX_READY'],
			],
		);
		const later: ContainerEventResponse[] = [];
		const leave = new AbortController();
		const stream = daemon.cri.GetContainerEvents({}, { signal: leave.signal });
		const readingLater = (async () => {
			for await (const event of stream) {
				later.push(event);
				if (event.container_event_type === 'CONTAINER_DELETED_EVENT') leave.abort();
			}
		})();
		await daemon.cri.Version();
		await daemon.cri.StopPodSandbox({ pod_sandbox_id: pod });
		await daemon.cri.RemovePodSandbox({ pod_sandbox_id: pod });
		await readingLater;
		assert.deepEqual(
			later.map((event) => [event.container_event_type, event.container_id, event.pod_sandbox_status?.state]),
			[
				['CONTAINER_STOPPED_EVENT', pod, 'SANDBOX_NOTREADY'],
				['CONTAINER_DELETED_EVENT', pod, undefined],
			],
		);
	});
});
