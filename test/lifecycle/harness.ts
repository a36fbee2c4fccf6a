/**
 * A daemon inside the test process: real launcher, shims, cgroups, network and gRPC server; only the images are
 * folders. Tests talk to it as every client does, and look at its parts where a client cannot.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { StatusError } from '#base/errors.ts';
import { createLog, type Log, silentLog } from '#base/log.ts';
import type { ContainerConfigInit, PodSandboxConfigInit } from '#cri-api';
import {
	type ConnectOptions,
	Criu,
	connectShim,
	type Launcher,
	nativeBinary,
	openCgroups,
	runtimeFeatures,
	startLauncher,
} from '#runtime';
import { AppArmor } from '../../src/apparmor/app-armor.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { Config } from '../../src/config/types.ts';
import { Containers } from '../../src/container/containers.ts';
import { discardsEnded } from '../../src/container/discard-layer.ts';
import { EventBus, type LifecycleEvent } from '../../src/events/event-bus.ts';
import { createMetrics } from '../../src/metrics/metrics.ts';
import { openNetwork } from '../../src/network/index.ts';
import { cgroupsPathOf } from '../../src/sandbox/cgroup-parent.ts';
import { Sandboxes } from '../../src/sandbox/sandboxes.ts';
import { createDispatcher } from '../../src/server/dispatch.ts';
import { type GrpcServer, startGrpcServer } from '../../src/server/grpc-server.ts';
import { handlers } from '../../src/server/handlers.ts';
import { PullsUnderWay } from '../../src/server/pulls-under-way.ts';
import { RecentErrors } from '../../src/server/recent-errors.ts';
import type { Daemon } from '../../src/server/types.ts';
import { readHostFacts } from '../../src/spec/host-facts.ts';
import { makeFolders } from '../../src/startup/folders.ts';
import { endOwnLauncher } from '../../src/startup/own-launcher.ts';
import { Stats } from '../../src/stats/stats.ts';
import { REMOVED } from '../../src/store/records.ts';
import { finishRecovery, prepareChanges, takeOver } from '../../src/store/recover.ts';
import { openStreaming } from '../../src/streaming/open.ts';
import { connectCri, type TestCri } from '../support/cri-client.ts';
import { leftoversOf } from '../support/leftovers.ts';
import { FakeImages } from './fake-images.ts';
import { makeLayer } from './layer.ts';

interface Running {
	readonly daemon: Daemon;
	readonly launcher: Launcher;
	readonly server: GrpcServer;
	readonly cri: TestCri;
}

/** One test's daemon with its folder; `await using` removes everything and checks that nothing is left. */
export class TestBed implements AsyncDisposable {
	readonly instance = `l${randomBytes(3).toString('hex')}`;
	readonly folder = mkdtempSync(join(tmpdir(), `gantry-${this.instance}-`));
	readonly images = new FakeImages();
	readonly events: LifecycleEvent[] = [];
	readonly #log: Log = process.env.GANTRY_TEST_LOG ? createLog('debug') : silentLog;
	readonly #settings: readonly string[];
	#running: Running | undefined;
	#pods = 0;

	private constructor(settings: readonly string[]) {
		this.#settings = settings;
		const layer = join(this.folder, 'layer');
		makeLayer(layer);
		this.images.add('busybox', [layer]);
	}

	/** `settings` as --set takes them. */
	static async start(settings: readonly string[] = []): Promise<TestBed> {
		const bed = new TestBed(settings);
		try {
			await bed.start();
			return bed;
		} catch (error) {
			await bed[Symbol.asyncDispose]().catch(() => {});
			throw error;
		}
	}

	get daemon(): Daemon {
		return this.#now.daemon;
	}
	get cri(): TestCri {
		return this.#now.cri;
	}
	get #now(): Running {
		return this.#running ?? assert.fail('the daemon does not run');
	}

	/**
	 * `versions`: those of the shim protocol that this daemon speaks. `meanwhile`: runs when calls are served and what
	 * was half done is not finished yet.
	 */
	async start(
		versions?: ConnectOptions['versions'],
		meanwhile: () => Promise<void> = async () => {},
	): Promise<void> {
		const { config } = loadConfig({
			listen: `unix://${join(this.folder, 'cri.sock')}`,
			root: join(this.folder, 'root'),
			state: join(this.folder, 'state'),
			set: [`instance=${this.instance}`, ...this.#settings],
		});
		const launcher = await startLauncher({
			binary: nativeBinary('gantry-shim', config.runtime.nativeFolder),
			instance: this.instance,
			log: this.#log,
		});
		const daemon = await this.#open(config, launcher, versions);
		await launcher.enterCgroups(daemon.cgroups.members(`/${this.instance}-system`));
		const unfinished = await prepareChanges(daemon, await takeOver(daemon));
		daemon.events.subscribe((event) => this.events.push(event));
		const server = await startGrpcServer({
			address: config.listen,
			socket: config.socket,
			maxMessageBytes: config.grpc.maxMessageBytes,
			dispatcher: createDispatcher(daemon, handlers),
		});
		this.#running = { daemon, launcher, server, cri: connectCri(config.listen) };
		await meanwhile();
		await finishRecovery(daemon, unfinished);
	}

	/** As if the daemon had been killed: connections and launcher end, shims and containers go on. */
	async crash(): Promise<void> {
		const { daemon, launcher, server, cri } = this.#now;
		this.#running = undefined;
		cri.client.close();
		await server.stop(100);
		await daemon.streaming[Symbol.asyncDispose]();
		daemon.sandboxes.close();
		await daemon.network.close();
		await launcher.close();
	}

	/** Runs a sandbox and answers its id. */
	async runPod(config: PodSandboxConfigInit = {}): Promise<string> {
		const answer = await this.cri.RunPodSandbox({ config: this.podConfig(config) });
		return answer.pod_sandbox_id;
	}

	podConfig(config: PodSandboxConfigInit = {}): PodSandboxConfigInit {
		this.#pods += 1;
		const name = `pod-${this.#pods}`;
		return {
			metadata: { name, namespace: 'tests', uid: `${name}-uid`, attempt: 0 },
			log_directory: join(this.folder, 'logs', name),
			...config,
		};
	}

	/** Creates a container in a sandbox and answers its id. */
	async create(sandboxId: string, config: ContainerConfigInit = {}): Promise<string> {
		const answer = await this.cri.CreateContainer({
			pod_sandbox_id: sandboxId,
			config: containerConfig(config),
		});
		return answer.container_id;
	}

	/** Creates and starts. */
	async run(sandboxId: string, config: ContainerConfigInit = {}): Promise<string> {
		const id = await this.create(sandboxId, config);
		await this.cri.StartContainer({ container_id: id });
		return id;
	}

	/** Runs a shell command in a container; fails unless it ends with 0. Answers its standard output without the last newline. */
	async sh(containerId: string, script: string): Promise<string> {
		const { stdout, stderr, exit_code } = await this.cri.ExecSync({
			container_id: containerId,
			cmd: ['sh', '-c', script],
			timeout: 20,
		});
		assert.equal(exit_code, 0, `${script}: ${Buffer.from(stderr).toString()}`);
		return Buffer.from(stdout).toString().replace(/\n$/, '');
	}

	/** Runs a script as a container of its own to its end; answers its exit code and what it printed. */
	async runScript(
		sandboxId: string,
		script: string,
		config: ContainerConfigInit = {},
	): Promise<{ code: number; text: string }> {
		const log = `${randomBytes(4).toString('hex')}.log`;
		const id = await this.run(sandboxId, { ...config, command: ['sh', '-c', script], log_path: log });
		await this.daemon.containers.exited(id);
		const { status } = await this.cri.ContainerStatus({ container_id: id });
		const lines = readFileSync(status?.log_path ?? '', 'utf8')
			.split('\n')
			.filter((line) => line !== '');
		const text = lines.map((line) => line.split(' ').slice(3).join(' ')).join('\n');
		return { code: status?.exit_code ?? -1, text };
	}

	/**
	 * Everything that the daemon has for objects on the machine: folders, leases. Empty when none lives. What removed
	 * containers wrote is nobody's, and leaves the disk behind the caller's back: the end of the test looks for that.
	 */
	leftObjects(): string[] {
		const state = join(this.folder, 'state');
		const folders = ['sandboxes', 'containers', 'shims'].flatMap((name) =>
			readdirSync(join(state, name)).map((entry) => `${name}/${entry}`),
		);
		const layers = this.layers()
			.filter((entry) => !entry.startsWith(REMOVED))
			.map((entry) => `layer ${entry}`);
		const files = readdirSync(join(this.folder, 'root/sandboxes')).map((entry) => `files of ${entry}`);
		const leases = [...this.images.leases.keys()].map((holder) => `lease ${holder}`);
		return [...folders, ...layers, ...files, ...leases];
	}

	/** Names in the folder of writable layers. */
	layers(): string[] {
		return readdirSync(join(this.folder, 'root/containers'));
	}

	async [Symbol.asyncDispose](): Promise<void> {
		try {
			if (this.#running !== undefined) await this.#end(this.#running);
			assert.deepEqual(leftoversOf(this.instance, this.folder), [], 'nothing may be left on the machine');
		} finally {
			rmSync(this.folder, { recursive: true, force: true });
		}
	}

	async #end({ daemon, launcher, server, cri }: Running): Promise<void> {
		const failures: unknown[] = [];
		for (const { metadata } of daemon.sandboxes.list()) {
			await cri
				.RemovePodSandbox({ pod_sandbox_id: metadata.id })
				.catch((error: unknown) => failures.push(error));
		}
		cri.client.close();
		await server.stop(100);
		await daemon.streaming[Symbol.asyncDispose]();
		daemon.sandboxes.close();
		await daemon.network.close({ removeHostParts: true });
		await daemon.appArmor.removeOwn();
		await discardsEnded(daemon);
		await endOwnLauncher(launcher, daemon.config, daemon.cgroups, daemon.sandboxes.list().length === 0);
		assert.deepEqual(failures, []);
		assert.deepEqual(this.leftObjects(), []);
		assert.deepEqual(this.layers(), []);
	}

	async #open(config: Config, launcher: Launcher, versions: ConnectOptions['versions']): Promise<Daemon> {
		await makeFolders(config);
		mkdirSync(join(config.root, 'containers'), { recursive: true });
		const log = this.#log;
		const cgroups = await openCgroups();
		const containers = new Containers({
			state: config.state,
			root: config.root,
			host: readHostFacts(cgroups.version),
			log,
		});
		const sandboxes = new Sandboxes({
			state: config.state,
			root: config.root,
			log,
			connectShim: (socketPath) =>
				connectShim({
					socketPath,
					launcher,
					cgroups,
					log,
					instance: config.instance,
					bundleOf: (id) => bundleOf(config.state, id),
					...(versions === undefined ? {} : { versions }),
				}),
		});
		const network = await openNetwork({
			...config.network,
			instance: config.instance,
			launcher,
			stateFolder: config.state,
			rootFolder: config.root,
			hookBinary: nativeBinary('gantry-hook', config.runtime.nativeFolder),
			log,
		});
		const daemon: Daemon = {
			version: '0.0.0-test',
			config,
			log,
			launcher,
			cgroups,
			criu: new Criu(launcher, config.runtime.criuPath),
			appArmor: new AppArmor({
				instance: config.instance,
				profile: config.runtime.apparmorProfile,
				launcher,
				log,
			}),
			images: this.images,
			network,
			sandboxes,
			containers,
			events: new EventBus(),
			stats: new Stats({
				cgroups,
				containers,
				sandboxes,
				sandboxCgroup: ({ metadata: { cgroupParent, id } }) =>
					cgroupsPathOf(cgroupParent, config.instance, id),
				treeUsage: (path) => launcher.treeUsage(path),
				log,
			}),
			metrics: createMetrics('0.0.0-test', {
				containers: () => [],
				sandboxes: () => [],
				networkReady: () => true,
			}),
			streaming: await openStreaming(config, log, () => daemon),
			features: await runtimeFeatures(),
			pulls: new PullsUnderWay(),
			recentErrors: new RecentErrors(),
			startedAt: new Date(),
			problems: () => [],
		};
		return daemon;
	}
}

function bundleOf(state: string, id: string): string {
	const isContainer = readdirSync(join(state, 'containers')).includes(id);
	return join(state, isContainer ? 'containers' : 'sandboxes', id, 'bundle');
}

let containerCount = 0;

/** A container that sleeps, in a process namespace of its own, as the kubelet asks for. */
export function containerConfig(config: ContainerConfigInit = {}): ContainerConfigInit {
	containerCount += 1;
	return {
		metadata: { name: `c${containerCount}`, attempt: 0 },
		image: { image: 'busybox' },
		command: ['sleep', '1000'],
		linux: { security_context: { namespace_options: { pid: 'CONTAINER' } } },
		...config,
	};
}

/** The StatusError that a call fails with. */
export async function failureOf(call: Promise<unknown>): Promise<StatusError> {
	try {
		await call;
	} catch (error) {
		return error as StatusError;
	}
	return assert.fail('the call succeeded');
}
