import { once } from 'node:events';
import { basename, dirname, join } from 'node:path';
import type { Log } from '#base/log.ts';
import { inTurns } from '#base/turns.ts';
import type {
	ContainerStatsInit,
	FilesystemUsageInit,
	LinuxPodSandboxStatsInit,
	PodSandboxStatsInit,
} from '#cri-api';
import type { Cgroups, CgroupUsage } from '#runtime';
import type { Container } from '../container/types.ts';
import { hasCgroup } from '../container/types.ts';
import type { Sandbox } from '../sandbox/types.ts';
import { CpuRates } from './cpu-rates.ts';
import { LayerUsage, type MeasuredUsage, type TreeUsage } from './layer-usage.ts';
import { interfacesOf } from './net-dev.ts';
import { sumUsage } from './sum.ts';
import {
	toCpuUsage,
	toIoUsage,
	toMemoryUsage,
	toNetworkUsage,
	toSwapUsage,
	toWritableLayer,
} from './to-cri.ts';

export interface StatsOptions {
	readonly cgroups: Pick<Cgroups, 'usage'>;
	readonly containers: {
		get(id: string): Container | undefined;
		ofSandbox(sandboxId: string): readonly Container[];
		/** ROOT/containers. */
		readonly layersFolder: string;
		/** ROOT/containers/ID. */
		layerFolder(id: string): string;
	};
	readonly sandboxes: { get(id: string): Sandbox | undefined };
	/** OCI cgroup path of a sandbox's own process. */
	readonly sandboxCgroup: (sandbox: Sandbox) => string;
	readonly treeUsage: (path: string) => Promise<TreeUsage>;
	readonly log: Log;
}

/** What containers and pods use, read from the kernel when asked. What goes away meanwhile gives undefined, never an error. */
export class Stats {
	readonly #options: StatsOptions;
	readonly #rates = new CpuRates();
	readonly #layers: LayerUsage;

	constructor(options: StatsOptions) {
		this.#options = options;
		this.#layers = new LayerUsage({ measure: options.treeUsage, log: options.log });
	}

	/** One container. The first time, this waits until its writable layer is measured. */
	async container(container: Container): Promise<ContainerStatsInit | undefined> {
		return await this.#container(container, await this.#layers.measured(this.#layerPath(container)));
	}

	/** Many containers, without waiting for any disk: a layer that was never measured is left out. */
	async containers(containers: readonly Container[]): Promise<readonly ContainerStatsInit[]> {
		const all = await inTurns(containers, (container) => this.#listed(container));
		return all.filter((stats) => stats !== undefined);
	}

	/** Many pods. */
	async sandboxes(sandboxes: readonly Sandbox[]): Promise<readonly PodSandboxStatsInit[]> {
		const all = await inTurns(sandboxes, (sandbox) => this.sandbox(sandbox));
		return all.filter((stats) => stats !== undefined);
	}

	/** A pod: its own cgroup when the caller gave it one, the sum of its processes' cgroups otherwise. */
	sandbox({ metadata: { id, config } }: Sandbox): PodSandboxStatsInit | undefined {
		const now = this.#options.sandboxes.get(id);
		if (now === undefined) return undefined;
		const containers = this.#options.containers.ofSandbox(id);
		const parts = containers.map((container) => this.#listed(container));
		return {
			attributes: { id, metadata: config.metadata, labels: config.labels, annotations: config.annotations },
			linux: {
				...this.#pod(now, containers),
				containers: parts.filter((stats) => stats !== undefined),
			},
		};
	}

	/** All writable layers and volumes together. */
	async allLayers(): Promise<FilesystemUsageInit> {
		const { layersFolder } = this.#options.containers;
		const usage = await this.#layers.measured(layersFolder);
		return (
			toWritableLayer(layersFolder, usage) ?? { timestamp: nowNs(), fs_id: { mountpoint: layersFolder } }
		);
	}

	/** Forgets what is kept of objects that are gone. */
	forgetGone(): void {
		const { containers, sandboxes } = this.#options;
		const isAlive = (id: string) => containers.get(id) !== undefined || sandboxes.get(id) !== undefined;
		this.#rates.keepOnly(isAlive);
		this.#layers.keepOnly((path) => path === containers.layersFolder || isAlive(basename(dirname(path))));
	}

	/** What a container's writable layer held when it was measured last; undefined before the first time. */
	lastLayer(container: Container): MeasuredUsage | undefined {
		return this.#layers.last(this.#layerPath(container));
	}

	/** The same; before the first time this waits for it until `patience` aborts. */
	async layer(container: Container, patience: AbortSignal): Promise<MeasuredUsage | undefined> {
		const last = this.lastLayer(container);
		if (last !== undefined || patience.aborted) return last;
		const outOfPatience = once(patience, 'abort').then(() => undefined);
		return await Promise.race([this.#layers.measured(this.#layerPath(container)), outOfPatience]);
	}

	#container({ metadata }: Container, layer: MeasuredUsage | undefined): ContainerStatsInit | undefined {
		const { id, config, createdAtNs, cgroupsPath } = metadata;
		const now = this.#options.containers.get(id);
		if (now === undefined) return undefined;
		const usage = hasCgroup(now) ? this.#options.cgroups.usage(cgroupsPath) : undefined;
		return {
			attributes: { id, metadata: config.metadata, labels: config.labels, annotations: config.annotations },
			writable_layer: toWritableLayer(this.#layerPath(now), layer),
			...(usage && this.#processStats(id, usage, now.status.startedAtNs ?? createdAtNs)),
		};
	}

	#listed(container: Container): ContainerStatsInit | undefined {
		return this.#container(container, this.lastLayer(container));
	}

	#pod(sandbox: Sandbox, containers: readonly Container[]): LinuxPodSandboxStatsInit {
		if (sandbox.status.state !== 'ready') return {};
		const { id, createdAtNs, cgroupParent, config } = sandbox.metadata;
		const hasOwnCgroup = (config.linux?.cgroup_parent ?? '') !== '';
		const parts = [
			this.#options.sandboxCgroup(sandbox),
			...containers.filter(hasCgroup).map(({ metadata }) => metadata.cgroupsPath),
		];
		const paths = hasOwnCgroup ? [cgroupParent] : parts;
		const usages = paths.map((path) => this.#options.cgroups.usage(path));
		const interfaces = interfacesOf(sandbox);
		const atNs = nowNs();
		const usage = hasOwnCgroup && usages[0] !== undefined ? usages[0] : sumUsage(usages);
		const { cpu, memory, io } = this.#processStats(id, usage, createdAtNs);
		return {
			cpu,
			memory,
			io,
			network: toNetworkUsage(interfaces, sandbox.status.network?.interfaceName ?? 'eth0', atNs),
			process: { timestamp: atNs, process_count: { value: usage.pids.current } },
		};
	}

	#processStats(
		id: string,
		usage: CgroupUsage,
		beganAtNs: bigint,
	): Required<Pick<ContainerStatsInit, 'cpu' | 'memory' | 'swap' | 'io'>> {
		const atNs = nowNs();
		// Rates by a clock that nobody sets; only how long ago it began is known by the other one.
		const steadyNs = process.hrtime.bigint();
		const ageNs = atNs > beganAtNs ? atNs - beganAtNs : 0n;
		const sample = { atNs: steadyNs, usageNs: usage.cpu.usageNs };
		const nanoCores = this.#rates.rate(id, sample, steadyNs - ageNs);
		return {
			cpu: toCpuUsage(usage.cpu, nanoCores, atNs),
			memory: toMemoryUsage(usage.memory, atNs),
			swap: toSwapUsage(usage.memory, atNs),
			io: toIoUsage(usage.io, atNs),
		};
	}

	#layerPath(container: Container): string {
		return join(this.#options.containers.layerFolder(container.metadata.id), 'upper');
	}
}

const nowNs = (): bigint => BigInt(Date.now()) * 1_000_000n;
