import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type MetricsServer, startMetricsServer } from './http-server.ts';
import { createMetrics } from './metrics.ts';

const metrics = createMetrics('1.2.3', {
	containers: () => ['running', 'running', 'exited'],
	sandboxes: () => ['ready', 'ready', 'notready'],
	networkReady: () => true,
});

describe('metrics server', () => {
	let server: MetricsServer;
	let problems: string[] = [];
	before(async () => {
		metrics.collectProcess();
		server = await startMetricsServer('127.0.0.1:0', metrics, () => problems);
	});
	after(() => server[Symbol.asyncDispose]());
	const get = (path: string, init?: RequestInit): Promise<Response> =>
		fetch(`http://${server.address}${path}`, init);

	async function shows(...lines: string[]): Promise<string> {
		const text = await (await get('/metrics')).text();
		for (const line of lines) assert.ok(text.includes(`${line}\n`), `no line ${line} in\n${text}`);
		return text;
	}
	function call(name: string, code: string, seconds: number): void {
		const operation = { name, startedMs: performance.now() };
		metrics.operationBegan(operation);
		metrics.operationEnded(operation, code, seconds);
	}

	it('shows what was counted, and objects by state', async () => {
		call('RunPodSandbox', 'OK', 0.02);
		call('RunPodSandbox', 'NOT_FOUND', 0.001);
		metrics.stage('RunPodSandbox', 'network', 0.004);
		metrics.planSteps([
			{ kind: 'mount_fs', elapsedNs: 10_000 },
			{ kind: 'pivot', elapsedNs: 1000 },
			{ kind: 'mount_fs', elapsedNs: 20_000 },
		]);
		metrics.images.pulled({ ok: true, bytes: 1000, elapsedMs: 200 });
		metrics.images.layerReused(500);
		metrics.oomKilled();
		metrics.shimLost('hung');
		metrics.networkFailed('attach');
		const { headers } = await get('/metrics');
		assert.match(headers.get('content-type') ?? '', /^text\/plain; version=/);
		const text = await shows(
			`gantry_build_info{version="1.2.3",node="${process.versions.node}"} 1`,
			'gantry_operations_total{operation="RunPodSandbox",code="OK"} 1',
			'gantry_operations_total{operation="RunPodSandbox",code="NOT_FOUND"} 1',
			'gantry_operation_duration_seconds_bucket{le="0.02",operation="RunPodSandbox"} 2',
			'gantry_stage_duration_seconds_count{operation="RunPodSandbox",stage="network"} 1',
			'gantry_plan_step_duration_seconds_bucket{le="0.00002",step="mount_fs"} 0',
			'gantry_plan_step_duration_seconds_bucket{le="0.0001",step="mount_fs"} 1',
			'gantry_plan_step_duration_seconds_bucket{le="0.000005",step="pivot"} 1',
			'gantry_image_pulls_total{result="ok"} 1',
			'gantry_image_pull_bytes_total 1000',
			'gantry_image_layers_reused_total 1',
			'gantry_image_layer_reused_bytes_total 500',
			'gantry_oom_kills_total 1',
			'gantry_shims_lost_total{how="hung"} 1',
			'gantry_network_failures_total{at="attach"} 1',
			'gantry_network_ready 1',
			'gantry_containers{state="running"} 2',
			'gantry_sandboxes{state="ready"} 2',
			'gantry_sandboxes{state="notready"} 1',
		);
		assert.match(text, /^nodejs_eventloop_lag_p99_seconds /m);
		assert.match(text, /^process_resident_memory_bytes /m);
	});

	it('shows what might happen as 0 before it does', async () => {
		await shows(
			'gantry_image_pulls_total{result="error"} 0',
			'gantry_events_dropped_total 0',
			'gantry_launcher_restarts_total 0',
			'gantry_shims_lost_total{how="gone"} 0',
			'gantry_network_failures_total{at="release"} 0',
			'gantry_containers{state="unknown"} 0',
			'gantry_open_streams{kind="exec"} 0',
		);
	});

	it('shows calls and streams while they are under way', async () => {
		const [older, newer] = [1000, 10].map((ago) => ({
			name: 'StopContainer',
			startedMs: performance.now() - ago,
		}));
		assert.ok(older !== undefined && newer !== undefined);
		for (const operation of [older, newer]) metrics.operationBegan(operation);
		const exec = metrics.streamOpened('exec');
		const text = await shows(
			'gantry_operations_in_flight{operation="StopContainer"} 2',
			'gantry_open_streams{kind="exec"} 1',
		);
		const age = /^gantry_operation_oldest_seconds\{operation="StopContainer"\} (.+)$/m.exec(text);
		assert.ok(Number(age?.[1]) >= 1, 'the oldest is told');
		for (const operation of [older, newer]) metrics.operationEnded(operation, 'OK', 1);
		exec[Symbol.dispose]();
		await shows(
			'gantry_operations_in_flight{operation="StopContainer"} 0',
			'gantry_operation_oldest_seconds{operation="StopContainer"} 0',
			'gantry_open_streams{kind="exec"} 0',
		);
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
