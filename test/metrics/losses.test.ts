import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { startTestDaemon, type TestDaemon } from '../support/daemon.ts';
import { busyboxEntries, type Registry, startRegistry } from '../support/registry.ts';
import { until } from '../support/until.ts';

/** What goes wrong, and what is under way, in the text of /metrics. */
describe('metrics of what should not happen', () => {
	const folder = mkdtempSync(join(tmpdir(), 'gantry-losses-'));
	let registry: Registry;
	let daemon: TestDaemon;
	let address = '';
	let image = '';

	before(async () => {
		registry = await startRegistry();
		const layers = [{ entries: busyboxEntries() }];
		image = (await registry.pushImage({ name: 'busybox', layers })).reference;
		daemon = await startTestDaemon({
			config: `metrics.address = "127.0.0.1:0"
[network]
provider = "cni"
cni_conf_dir = "${brokenCni()}"
cni_bin_dirs = ["${join(folder, 'bin')}"]
`,
		});
		address = String((await daemon.process.line(/Serving \/metrics/)).address);
		await daemon.cri.PullImage({ image: { image } });
	});
	after(async () => {
		await daemon?.[Symbol.asyncDispose]();
		await registry?.stop();
		rmSync(folder, { recursive: true, force: true });
	});

	/** A network whose plug-in fails at ADD, and at DEL does nothing. */
	function brokenCni(): string {
		mkdirSync(join(folder, 'bin'));
		mkdirSync(join(folder, 'net.d'));
		const plugin = join(folder, 'bin/broken');
		writeFileSync(plugin, '#!/bin/sh\n[ "$CNI_COMMAND" != ADD ]\n');
		chmodSync(plugin, 0o755);
		const network = { cniVersion: '1.0.0', name: 'none', plugins: [{ type: 'broken' }] };
		writeFileSync(join(folder, 'net.d/10-broken.conflist'), JSON.stringify(network));
		return join(folder, 'net.d');
	}

	async function runPod(name: string, network: 'POD' | 'NODE'): Promise<string> {
		const metadata = { name, namespace: 'tests', uid: name, attempt: 0 };
		const linux = { security_context: { namespace_options: { network } } };
		return (await daemon.cri.RunPodSandbox({ config: { metadata, linux } })).pod_sandbox_id;
	}

	async function answerTo(series: string): Promise<number> {
		const text = await (await fetch(`http://${address}/metrics`)).text();
		const line = text.split('\n').find((each) => each.startsWith(`${series} `));
		return Number(line?.slice(series.length) ?? assert.fail(`no ${series} in\n${text}`));
	}
	const comes = (series: string, value: number) =>
		until(`${series} is ${value}`, async () => (await answerTo(series)) === value);

	it('a network plug-in that fails', async () => {
		await assert.rejects(runPod('unattached', 'POD'), /broken failed at ADD/);
		assert.equal(await answerTo('gantry_network_failures_total{at="attach"}'), 1);
		assert.equal(await answerTo('gantry_network_failures_total{at="release"}'), 0);
	});

	it('a command and a reader of events, while they are there', async () => {
		const pod_sandbox_id = await runPod('busy', 'NODE');
		const config = { metadata: { name: 'main', attempt: 0 }, image: { image }, command: ['sleep', '100000'] };
		const { container_id } = await daemon.cri.CreateContainer({ pod_sandbox_id, config });
		await daemon.cri.StartContainer({ container_id });
		const waiting = ['sh', '-c', 'while ! [ -e /go ]; do sleep 0.05; done'];
		const exec = daemon.cri.ExecSync({ container_id, cmd: waiting, timeout: 60 });
		const leaving = new AbortController();
		const events = (async () => {
			for await (const _event of daemon.cri.GetContainerEvents({}, { signal: leaving.signal }));
		})().catch(() => {});
		await comes('gantry_open_streams{kind="exec"}', 1);
		await comes('gantry_open_streams{kind="events"}', 1);
		assert.equal(await answerTo('gantry_operations_in_flight{operation="ExecSync"}'), 1);
		assert.ok((await answerTo('gantry_operation_oldest_seconds{operation="ExecSync"}')) > 0);
		await daemon.cri.ExecSync({ container_id, cmd: ['touch', '/go'], timeout: 20 });
		leaving.abort();
		await Promise.all([exec, events]);
		await comes('gantry_open_streams{kind="exec"}', 0);
		await comes('gantry_open_streams{kind="events"}', 0);
		await comes('gantry_operations_in_flight{operation="GetContainerEvents"}', 0);
	});

	it('a shim and a launcher that are killed', async () => {
		const pod_sandbox_id = await runPod('victim', 'NODE');
		const { info } = await daemon.cri.PodSandboxStatus({ pod_sandbox_id, verbose: true });
		process.kill(JSON.parse(info.info ?? '{}').shimPid, 'SIGKILL');
		await comes('gantry_shims_lost_total{how="gone"}', 1);
		await comes('gantry_sandboxes{state="notready"}', 1);
		assert.equal(await answerTo('gantry_shims_lost_total{how="hung"}'), 0);
		assert.equal(await answerTo('gantry_launcher_restarts_total'), 0);
		const { info: runtime } = await daemon.cri.Status({ verbose: true });
		process.kill(JSON.parse(runtime.runtime ?? '{}').launcherPid, 'SIGKILL');
		await comes('gantry_launcher_restarts_total', 1);
	});
});
