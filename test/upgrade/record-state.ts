/**
 * Records the folder of a daemon of this version with a pod of every kind: `hack/record-state NAME`. The daemon is
 * killed, the processes are not recorded, so whoever takes over finds all of them ended.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PodSandboxConfigInit } from '#cri-api';
import { startTestDaemon, type TestDaemon } from '../support/daemon.ts';
import { busyboxEntries, startRegistry } from '../support/registry.ts';
import { until } from '../support/until.ts';
import { RECORDINGS, record } from './recording.ts';

const name = process.argv[2] ?? assert.fail('usage: hack/record-state NAME');

async function makePod(
	{ cri }: TestDaemon,
	podName: string,
	config: PodSandboxConfigInit = {},
): Promise<string> {
	const metadata = { name: podName, namespace: 'recorded', uid: `${podName}-uid`, attempt: 0 };
	const labels = { app: podName };
	return (await cri.RunPodSandbox({ config: { metadata, labels, ...config } })).pod_sandbox_id;
}

async function makeContainer(
	daemon: TestDaemon,
	pod: string,
	containerName: string,
	command: string[],
): Promise<string> {
	const config = { metadata: { name: containerName, attempt: 0 }, image: { image: IMAGE }, command };
	return (await daemon.cri.CreateContainer({ pod_sandbox_id: pod, config })).container_id;
}

let IMAGE = '';

await using registry = await startRegistry();
IMAGE = (await registry.pushImage({ name: 'recorded', layers: [{ entries: busyboxEntries() }] })).reference;
const folder = mkdtempSync(join(tmpdir(), 'gantry-recordd-'));
await using daemon = await startTestDaemon({ folder, config: 'network.provider = "builtin"\n' });
const { cri } = daemon;
await cri.PullImage({ image: { image: IMAGE } });

const ready = await makePod(daemon, 'ready', {
	port_mappings: [{ container_port: 80, host_port: 24680, protocol: 'TCP' }],
});
const running = await makeContainer(daemon, ready, 'running', ['sleep', '100000']);
await cri.StartContainer({ container_id: running });
const exited = await makeContainer(daemon, ready, 'exited', ['sh', '-c', 'exit 7']);
await cri.StartContainer({ container_id: exited });
await until('it ended', async () => {
	const { status } = await cri.ContainerStatus({ container_id: exited });
	return status?.state === 'CONTAINER_EXITED';
});
await makeContainer(daemon, ready, 'created', ['sleep', '100000']);
const stopped = await makePod(daemon, 'stopped');
await cri.StopPodSandbox({ pod_sandbox_id: stopped });
await makePod(daemon, 'hostnet', { linux: { security_context: { namespace_options: { network: 'NODE' } } } });

await daemon.stop('SIGKILL');
rmSync(join(RECORDINGS, name), { recursive: true, force: true });
record(name, daemon);
process.stdout.write(`recorded ${join(RECORDINGS, name)}\n`);
