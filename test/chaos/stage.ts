/** A daemon that can be struck, an image, and a pod that must not notice. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PodSandboxConfigInit } from '#cri-api';
import { startTestDaemon, type TestDaemon } from '../support/daemon.ts';
import { busyboxEntries, freePort, type Registry, startRegistry } from '../support/registry.ts';
import { assertCounted, countingCommand } from './counter.ts';

interface Bystander {
	readonly sandboxId: string;
	readonly containerId: string;
	readonly ip: string;
	readonly pid: string;
	readonly logPath: string;
	counted: number;
}

export class Stage implements AsyncDisposable {
	readonly daemon: TestDaemon;
	/** An image that is here; one to be pulled, which shares no layer with it. */
	readonly image: string;
	readonly otherImage: string;
	readonly #registry: Registry;
	#bystander: Bystander | undefined;
	#count = 0;

	private constructor(daemon: TestDaemon, registry: Registry, image: string, otherImage: string) {
		this.daemon = daemon;
		this.#registry = registry;
		this.image = image;
		this.otherImage = otherImage;
	}

	static async open(network: 'builtin' | 'cni'): Promise<Stage> {
		const registry = await startRegistry();
		try {
			const image = await registry.pushImage({ name: 'busybox', layers: [{ entries: busyboxEntries() }] });
			const other = await registry.pushImage({ name: 'other', layers: otherLayers() });
			const daemon = await startTestDaemon(daemonOptions(network));
			const stage = new Stage(daemon, registry, image.reference, other.reference);
			await daemon.cri.PullImage({ image: { image: image.reference } });
			await stage.#makeBystander();
			return stage;
		} catch (error) {
			await registry[Symbol.asyncDispose]();
			throw error;
		}
	}

	/** The configuration of a pod that nobody has yet; it has a cgroup of its own above it. */
	podConfig(): PodSandboxConfigInit {
		const name = `pod-${++this.#count}`;
		return {
			metadata: { name, namespace: 'tests', uid: name, attempt: 0 },
			log_directory: join(this.daemon.folder, 'logs', name),
			linux: { cgroup_parent: `/${this.daemon.instance}/${name}` },
		};
	}

	async runPod(): Promise<string> {
		return (await this.daemon.cri.RunPodSandbox({ config: this.podConfig() })).pod_sandbox_id;
	}

	/** The request for a container that never ends by itself. */
	containerRequest(sandboxId: string, command: readonly string[] = ['sleep', '1000']) {
		const namespace_options = { pid: 'CONTAINER' } as const;
		return {
			pod_sandbox_id: sandboxId,
			config: {
				metadata: { name: 'main', attempt: 0 },
				image: { image: this.image },
				command,
				log_path: 'main/0.log',
				linux: { security_context: { namespace_options } },
			},
		};
	}

	async create(sandboxId: string, command?: readonly string[]): Promise<string> {
		const request = this.containerRequest(sandboxId, command);
		return (await this.daemon.cri.CreateContainer(request)).container_id;
	}

	/** Why checkpoints cannot be tested here; '' when they can. GANTRY_TEST_CRIU names another CRIU. */
	async criuProblem(): Promise<string> {
		const { info } = await this.daemon.cri.Status({ verbose: true });
		return JSON.parse(info.checkpoint ?? '{}').problem ?? 'Status does not tell of CRIU';
	}

	async start(sandboxId: string): Promise<string> {
		const container_id = await this.create(sandboxId);
		await this.daemon.cri.StartContainer({ container_id });
		return container_id;
	}

	/** It runs in the same process, at the same address, and has not missed a number. */
	async assertBystanderUnharmed(): Promise<void> {
		const was = this.#bystander ?? assert.fail('there is no bystander');
		const { cri } = this.daemon;
		const { status: pod } = await cri.PodSandboxStatus({ pod_sandbox_id: was.sandboxId });
		assert.deepEqual([pod?.state, pod?.network?.ip], ['SANDBOX_READY', was.ip]);
		assert.equal(await this.pidOf(was.containerId), was.pid);
		const counted = assertCounted(was.logPath);
		assert.ok(counted > was.counted, 'it has gone on counting');
		was.counted = counted;
		const { exit_code } = await cri.ExecSync({ container_id: was.containerId, cmd: ['true'], timeout: 20 });
		assert.equal(exit_code, 0);
	}

	/** What an earlier case left because it failed. */
	async removeOthers(): Promise<void> {
		const { cri } = this.daemon;
		for (const { id } of (await cri.ListPodSandbox()).items)
			if (id !== this.#bystander?.sandboxId) await cri.RemovePodSandbox({ pod_sandbox_id: id });
	}

	async assertOnlyBystander(): Promise<void> {
		const { cri } = this.daemon;
		const ids = [...(await cri.ListPodSandbox()).items, ...(await cri.ListContainers()).containers];
		assert.deepEqual(
			ids.map(({ id }) => id),
			[this.#bystander?.sandboxId, this.#bystander?.containerId],
		);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		try {
			await this.daemon[Symbol.asyncDispose]();
		} finally {
			await this.#registry[Symbol.asyncDispose]();
		}
	}

	async #makeBystander(): Promise<void> {
		const { cri } = this.daemon;
		const hostPort = await freePort();
		const config = {
			...this.podConfig(),
			port_mappings: [{ protocol: 'TCP' as const, container_port: 80, host_port: hostPort, host_ip: '' }],
		};
		const { pod_sandbox_id: sandboxId } = await cri.RunPodSandbox({ config });
		const containerId = await this.create(sandboxId, countingCommand());
		await cri.StartContainer({ container_id: containerId });
		const { status } = await cri.PodSandboxStatus({ pod_sandbox_id: sandboxId });
		const container = await cri.ContainerStatus({ container_id: containerId });
		this.#bystander = {
			sandboxId,
			containerId,
			ip: status?.network?.ip ?? '',
			pid: await this.pidOf(containerId),
			logPath: container.status?.log_path ?? '',
			counted: 0,
		};
	}

	/** Of a container that runs. */
	async pidOf(container_id: string): Promise<string> {
		const { status, info } = await this.daemon.cri.ContainerStatus({ container_id, verbose: true });
		assert.equal(status?.state, 'CONTAINER_RUNNING');
		return String(JSON.parse(info.info ?? '{}').pid);
	}
}

/** Two layers, with owners and a folder that only the second implies. */
function otherLayers() {
	const file = (name: string) => ({ name, data: name, uid: 7, gid: 8 });
	return [{ entries: [file('one/file')] }, { entries: [file('two/deep/file')] }];
}

function daemonOptions(network: 'builtin' | 'cni') {
	const folder = mkdtempSync(join(tmpdir(), 'gantry-chaos-'));
	const env = { GANTRY_FAULT_FILE: join(folder, 'fault') };
	const criu = process.env.GANTRY_TEST_CRIU ?? '';
	const criuPath = criu === '' ? '' : `runtime.criu_path = "${criu}"\n`;
	if (network === 'builtin') return { folder, env, config: `network.provider = "builtin"\n${criuPath}` };
	const confDir = join(folder, 'cni');
	mkdirSync(confDir);
	writeFileSync(join(confDir, '10-test.conflist'), JSON.stringify(cniNetwork(folder)));
	return { folder, env, config: `network.provider = "cni"\nnetwork.cni_conf_dir = "${confDir}"\n` };
}

function cniNetwork(folder: string) {
	const ranges = [[{ subnet: '10.211.0.0/24' }]];
	return {
		cniVersion: '1.0.0',
		name: 'chaos',
		plugins: [
			{
				type: 'ptp',
				ipam: { type: 'host-local', ranges, dataDir: join(folder, 'ipam'), routes: [{ dst: '0.0.0.0/0' }] },
			},
		],
	};
}
