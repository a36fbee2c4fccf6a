import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type MetricsServer, startMetricsServer } from './http-server.ts';
import { countBy, createMetrics } from './metrics.ts';

const metrics = createMetrics('1.2.3', {
	containers: () => new Map([['CONTAINER_RUNNING', 2]]),
	sandboxes: () => countBy(['ready', 'ready', 'notready'], (state) => state),
});

describe('metrics server', () => {
	let server: MetricsServer;
	let problems: string[] = [];
	before(async () => {
		server = await startMetricsServer('127.0.0.1:0', metrics, () => problems);
	});
	after(() => server[Symbol.asyncDispose]());
	const get = (path: string, init?: RequestInit): Promise<Response> =>
		fetch(`http://${server.address}${path}`, init);

	it('shows what was counted, and objects by state', async () => {
		metrics.operation('RunPodSandbox', 'OK', 0.02);
		metrics.operation('RunPodSandbox', 'NOT_FOUND', 0.001);
		metrics.stage('RunPodSandbox', 'network', 0.004);
		metrics.images.pulled({ ok: true, bytes: 1000, elapsedMs: 200 });
		metrics.oomKilled();
		const response = await get('/metrics');
		assert.match(response.headers.get('content-type') ?? '', /^text\/plain; version=/);
		const text = await response.text();
		for (const line of [
			'gantry_info{version="1.2.3"} 1',
			'gantry_operations_total{operation="RunPodSandbox",code="OK"} 1',
			'gantry_operations_total{operation="RunPodSandbox",code="NOT_FOUND"} 1',
			'gantry_operation_duration_seconds_bucket{le="0.025",operation="RunPodSandbox"} 2',
			'gantry_stage_duration_seconds_count{operation="RunPodSandbox",stage="network"} 1',
			'gantry_image_pulls_total{result="ok"} 1',
			'gantry_image_pull_bytes_total 1000',
			'gantry_oom_kills_total 1',
			'gantry_containers{state="CONTAINER_RUNNING"} 2',
			'gantry_sandboxes{state="ready"} 2',
			'gantry_sandboxes{state="notready"} 1',
		])
			assert.ok(text.includes(`${line}\n`), `no line ${line} in\n${text}`);
		assert.match(text, /^nodejs_eventloop_lag_p99_seconds /m);
		assert.match(text, /^process_resident_memory_bytes /m);
	});

	it('says on /healthz whether the daemon can work, and why not', async () => {
		assert.equal((await get('/healthz')).status, 200);
		problems = ['the launcher is gone'];
		const sick = await get('/healthz');
		assert.equal(sick.status, 503);
		assert.equal(await sick.text(), 'the launcher is gone\n');
	});

	it('refuses other paths and methods', async () => {
		assert.equal((await get('/')).status, 404);
		assert.equal((await get('/metrics', { method: 'POST' })).status, 405);
	});

	it('says which option to change when the port is taken', async () => {
		await assert.rejects(
			startMetricsServer(server.address, metrics, () => []),
			/Cannot serve metrics on .* \(metrics\.address\): .*EADDRINUSE/,
		);
	});
});
