import assert from 'node:assert/strict';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openCgroups } from '#runtime';
import { temporaryFolder } from '../native-launcher/launcher.ts';
import { startTestDaemon, type TestDaemon } from '../support/daemon.ts';
import { writeFakeCriu } from '../support/fake-criu.ts';
import { frozen } from '../support/freezer.ts';
import { busyboxEntries, startRegistry } from '../support/registry.ts';
import { until } from '../support/until.ts';

/** A container that runs, and its cgroup. */
async function runContainer({ cri }: TestDaemon, image: string) {
	const metadata = { name: 'pod', namespace: 'tests', uid: 'uid', attempt: 0 };
	const { pod_sandbox_id } = await cri.RunPodSandbox({ config: { metadata } });
	const { container_id } = await cri.CreateContainer({
		pod_sandbox_id,
		config: {
			metadata: { name: 'main', attempt: 0 },
			image: { image },
			command: ['sleep', '1000'],
			linux: { security_context: { namespace_options: { pid: 'CONTAINER' } } },
		},
	});
	await cri.StartContainer({ container_id });
	const { info } = await cri.ContainerStatus({ container_id, verbose: true });
	return { container_id, cgroupsPath: String(JSON.parse(info.info ?? '{}').cgroupsPath) };
}

test('what a killed daemon had frozen for a checkpoint goes on with the next, and nothing half-written is left', async () => {
	await using registry = await startRegistry();
	const { reference } = await registry.pushImage({
		name: 'busybox',
		layers: [{ entries: busyboxEntries() }],
	});
	using folder = temporaryFolder();
	const criu = join(folder.path, 'criu');
	const began = join(folder.path, 'began');
	writeFakeCriu(criu, { dump: `touch ${began}; until [ -e ${began}.go ]; do sleep 0.01; done` });
	const config = `network.provider = "builtin"\nruntime.criu_path = "${criu}"\n`;
	await using daemon = await startTestDaemon({ config });
	await daemon.cri.PullImage({ image: { image: reference } });
	const { container_id, cgroupsPath } = await runContainer(daemon, reference);
	const cgroups = await openCgroups();
	const location = join(folder.path, 'x.tar');
	void daemon.cri.CheckpointContainer({ container_id, location }).catch(() => {});
	await until('CRIU is at work', () => existsSync(began));
	assert.equal(frozen(cgroups, cgroupsPath), true);
	await daemon.stop('SIGKILL');
	assert.equal(frozen(cgroups, cgroupsPath), true);
	await daemon.start();
	// It waits for CRIU, which would freeze again what is thawed before its end.
	assert.equal(frozen(cgroups, cgroupsPath), true);
	const again = daemon.cri.CheckpointContainer({ container_id, location: `${location}.again`, timeout: 1n });
	await assert.rejects(again, /a checkpoint of container \w+ is under way/);
	writeFileSync(`${began}.go`, '');
	await until('it is thawed', () => !frozen(cgroups, cgroupsPath));
	const { exit_code } = await daemon.cri.ExecSync({ container_id, cmd: ['true'], timeout: 20 });
	assert.equal(exit_code, 0);
	const left = () => readdirSync(folder.path).filter((name) => name.startsWith('x.tar'));
	await until('nothing half-written is left', () => left().length === 0);
});
