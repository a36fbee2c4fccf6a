import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startTestDaemon, type TestDaemon } from '../support/daemon.ts';
import { hasPrometheus, type Prometheus, startPrometheus } from '../support/prometheus.ts';
import { busyboxEntries, type Registry, startRegistry } from '../support/registry.ts';
import { until } from '../support/until.ts';

const file = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const ALERTS = file('conf/gantry-alerts.yml');
const ALERT_TESTS = file('test/metrics/alerts.test.yml');

interface Dashboard {
	readonly panels: readonly { readonly title: string; readonly targets?: readonly { expr: string }[] }[];
}

function promtool(args: readonly string[], input = ''): void {
	const { status, stdout, stderr } = spawnSync('promtool', args, { input, encoding: 'utf8' });
	assert.deepEqual([status, stderr], [0, ''], `promtool ${args.join(' ')}:\n${stdout}`);
}

describe('a Prometheus that scrapes the daemon', {
	skip: hasPrometheus
		? false
		: 'prometheus is not on PATH: the metrics were NOT tested with it; run hack/setup',
}, () => {
	let registry: Registry;
	let daemon: TestDaemon;
	let prometheus: Prometheus;
	let address = '';
	const ids: string[] = [];

	before(async () => {
		registry = await startRegistry();
		const { reference } = await registry.pushImage({
			name: 'metrics/busybox',
			layers: [{ entries: busyboxEntries() }],
		});
		daemon = await startTestDaemon({
			config: 'network.provider = "builtin"\nmetrics.address = "127.0.0.1:0"\n',
		});
		address = String((await daemon.process.line(/Serving \/metrics/)).address);
		prometheus = await startPrometheus(address, ALERTS);
		await podLife(reference);
		// A rate needs two values.
		const seen = await scrapes();
		await until('what the pod did is scraped', async () => (await scrapes()) >= seen + 2);
	});
	after(async () => {
		await prometheus?.[Symbol.asyncDispose]();
		await daemon?.[Symbol.asyncDispose]();
		await registry?.stop();
	});

	async function podLife(image: string): Promise<void> {
		const { cri } = daemon;
		await cri.PullImage({ image: { image } });
		await assert.rejects(cri.PullImage({ image: { image: '127.0.0.1:1/metrics/nobody:1' } }));
		const metadata = { name: 'pod', namespace: 'tests', uid: 'uid', attempt: 0 };
		const { pod_sandbox_id } = await cri.RunPodSandbox({ config: { metadata } });
		const config = { metadata: { name: 'main', attempt: 0 }, image: { image }, command: ['sleep', '100000'] };
		const { container_id } = await cri.CreateContainer({ pod_sandbox_id, config });
		await cri.StartContainer({ container_id });
		await cri.ExecSync({ container_id, cmd: ['true'], timeout: 20 });
		await cri.StopContainer({ container_id, timeout: 0 });
		await cri.RemovePodSandbox({ pod_sandbox_id });
		ids.push(pod_sandbox_id, container_id);
	}

	async function answerTo(expression: string): Promise<number | undefined> {
		return (await prometheus.query(expression))[0]?.value;
	}
	const scrapes = async () => (await answerTo('count_over_time(up[5m])')) ?? 0;
	const scraped = async () => (await fetch(`http://${address}/metrics`)).text();

	it('promtool has no complaint about a name, a unit or a help', async () => {
		promtool(['check', 'metrics'], await scraped());
	});

	it('understands every line, and finds what was done', async () => {
		assert.equal(await prometheus.scrapeError(), '');
		const counts = {
			'sum(gantry_operations_total{operation="RunPodSandbox",code="OK"})': 1,
			'sum(gantry_operations_total{operation="PullImage",code="UNAVAILABLE"})': 1,
			'gantry_image_pulls_total{result="ok"}': 1,
			'gantry_image_pulls_total{result="error"}': 1,
			'gantry_operation_duration_seconds_count{operation="ExecSync"}': 1,
			'gantry_stage_duration_seconds_count{operation="RunPodSandbox",stage="create"}': 1,
			'gantry_stage_duration_seconds_count{operation="StartContainer",stage="start"}': 1,
			'gantry_plan_step_duration_seconds_count{step="spawn"}': 2,
			'gantry_plan_step_duration_seconds_count{step="hooks_createRuntime"}': 1,
			'gantry_open_streams{kind="exec"}': 0,
			'sum(gantry_sandboxes)': 0,
		};
		for (const [expression, count] of Object.entries(counts))
			assert.equal(await answerTo(expression), count, expression);
		assert.equal(
			await answerTo('count(gantry_plan_step_duration_seconds_count{step="wait_start"})'),
			undefined,
		);
	});

	it('has no label that names an object', async () => {
		const text = await scraped();
		for (const id of ids) assert.ok(!text.includes(id.slice(0, 13)), `the id ${id} is in a label`);
		assert.doesNotMatch(text, /busybox|nobody|tests/);
	});

	it('every query of the dashboard has an answer', async () => {
		const { panels } = JSON.parse(readFileSync(file('conf/gantry-dashboard.json'), 'utf8')) as Dashboard;
		const queries = panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ title, expr })));
		assert.ok(queries.length > 20);
		for (const { title, expr } of queries) {
			const expression = expr.replaceAll('$__rate_interval', '1m').replaceAll('$instance', '.+');
			const series = await prometheus.query(expression);
			assert.ok(series.length > 0, `panel ${title} is empty: ${expression}`);
		}
	});

	it('every alert watches something that is there', async () => {
		promtool(['check', 'rules', ALERTS]);
		const rules = await prometheus.rules();
		assert.ok(rules.length > 10);
		for (const { name, query, health, lastError } of rules) {
			assert.equal(health, 'ok', `${name}: ${lastError}`);
			const watched = query.replace(/ (>|==) [\d.]+$/, '');
			assert.notEqual(watched, query, `${name} has no threshold`);
			assert.ok((await prometheus.query(watched)).length > 0, `${name} watches nothing: ${watched}`);
		}
	});

	it('every alert fires when it should, and not before', () => {
		const names = (path: string, key: string) =>
			new Set(
				[...readFileSync(path, 'utf8').matchAll(new RegExp(`${key}: (\\w+)`, 'g'))].map(([, name]) => name),
			);
		assert.deepEqual(names(ALERT_TESTS, 'alertname'), names(ALERTS, 'alert'));
		promtool(['test', 'rules', ALERT_TESTS]);
	});
});
