/** The whole life of one pod with what must be true of it at each step, whenever the daemon was killed in between. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ContainerConfigInit, ContainerStatus, PodSandboxConfigInit } from '#cri-api';
import type { Random } from '../support/random.ts';
import type { Client } from './client.ts';
import { assertCounted, countingCommand } from './counter.ts';

/** What the client knows of a pod, for the look after each kill. */
export interface KnownPod {
	readonly id: string;
	readonly ip: string;
	/** Containers that run until the client stops them. */
	readonly running: Set<string>;
}

export interface Life {
	readonly client: Client;
	readonly random: Random;
	readonly image: string;
	/** Nobody else's while this life lasts. */
	readonly hostPort: number;
	readonly known: Set<KnownPod>;
}

const NUMBERS = 200;
const POLLS = 600;

/** Runs a pod with containers that end and containers that stay, and removes it. */
export async function livePod(life: Life, name: string): Promise<void> {
	const { client, known, random } = life;
	const config = podConfig(life, name);
	const { pod_sandbox_id: id } = await client.ask('RunPodSandbox', (cri) => cri.RunPodSandbox({ config }));
	const ip = await client.ask('PodSandboxStatus', async (cri) => {
		const { status } = await cri.PodSandboxStatus({ pod_sandbox_id: id });
		assert.equal(status?.state, 'SANDBOX_READY');
		return status?.network?.ip ?? '';
	});
	const pod: KnownPod = { id, ip, running: new Set() };
	known.add(pod);
	const staying = await startStaying(life, pod);
	if (random.below(2) === 0) await countToTheEnd(life, pod);
	if (random.below(2) === 0) await probe(life, staying);
	pod.running.delete(staying);
	if (random.below(2) === 0) await stopAndRemove(life, staying);
	known.delete(pod);
	if (random.below(2) === 0)
		await client.ask('StopPodSandbox', (cri) => cri.StopPodSandbox({ pod_sandbox_id: id }));
	await client.ask('RemovePodSandbox', (cri) => cri.RemovePodSandbox({ pod_sandbox_id: id }));
	await client.ask('ListContainers', async (cri) => {
		const { containers } = await cri.ListContainers({ filter: { pod_sandbox_id: id } });
		assert.deepEqual(containers, [], 'a removed pod has no containers');
	});
}

function podConfig({ client, random, hostPort }: Life, name: string): PodSandboxConfigInit {
	const { folder, instance } = client.daemon;
	const port = { protocol: 'TCP' as const, container_port: 80, host_port: hostPort, host_ip: '' };
	return {
		metadata: { name, namespace: 'chaos', uid: name, attempt: 0 },
		log_directory: join(folder, 'logs', name),
		port_mappings: random.below(2) === 0 ? [port] : [],
		linux: random.below(2) === 0 ? { cgroup_parent: `/${instance}/${name}` } : null,
	};
}

/** Creates and starts a container; answers its id. */
async function start({ client, image }: Life, pod: KnownPod, config: ContainerConfigInit): Promise<string> {
	const request = {
		pod_sandbox_id: pod.id,
		config: {
			image: { image },
			linux: { security_context: { namespace_options: { pid: 'CONTAINER' as const } } },
			...config,
		},
	};
	const { container_id } = await client.ask('CreateContainer', (cri) => cri.CreateContainer(request));
	await client.ask('StartContainer', (cri) => cri.StartContainer({ container_id }));
	return container_id;
}

async function startStaying(life: Life, pod: KnownPod): Promise<string> {
	const id = await start(life, pod, {
		metadata: { name: 'stays', attempt: 0 },
		command: countingCommand(),
		log_path: 'stays.log',
	});
	pod.running.add(id);
	return id;
}

/** A container that ends by itself: its code, its times and every line of its log are there. */
async function countToTheEnd(life: Life, pod: KnownPod): Promise<void> {
	const exitCode = life.random.below(256);
	const id = await start(life, pod, {
		metadata: { name: 'ends', attempt: 0 },
		command: countingCommand(NUMBERS, exitCode),
		log_path: 'ends.log',
	});
	const status = await ended(life, id);
	assert.deepEqual(
		[status.exit_code, status.reason],
		[exitCode, exitCode === 0 ? 'Completed' : 'Error'],
		`how ${id} ended`,
	);
	assert.ok(BigInt(status.created_at) <= BigInt(status.started_at), 'started after it was created');
	assert.ok(BigInt(status.started_at) <= BigInt(status.finished_at), 'ended after it was started');
	assert.equal(assertCounted(status.log_path), NUMBERS);
}

async function ended({ client }: Life, container_id: string): Promise<ContainerStatus> {
	for (let poll = 0; poll < POLLS; poll++) {
		const { status } = await client.ask('ContainerStatus', (cri) => cri.ContainerStatus({ container_id }));
		if (status?.state === 'CONTAINER_EXITED') return status;
		await sleep(20);
	}
	return assert.fail(`container ${container_id} never ended`);
}

async function probe({ client }: Life, container_id: string): Promise<void> {
	const request = { container_id, cmd: ['sh', '-c', 'echo hello; exit 3'], timeout: 20 };
	const { stdout, exit_code } = await client.ask('ExecSync', (cri) => cri.ExecSync(request));
	assert.deepEqual([Buffer.from(stdout).toString(), exit_code], ['hello\n', 3]);
}

async function stopAndRemove(life: Life, container_id: string): Promise<void> {
	const { client, random } = life;
	const timeout = random.below(2);
	await client.ask('StopContainer', (cri) => cri.StopContainer({ container_id, timeout }));
	const status = await ended(life, container_id);
	assert.equal(status.exit_code, 137);
	assertCounted(status.log_path);
	await client.ask('RemoveContainer', (cri) => cri.RemoveContainer({ container_id }));
}
