/** ListPodSandboxMetrics: what Prometheus sees of pods and containers, by the names that cAdvisor gave. */
import { statfs } from 'node:fs/promises';
import { Turn } from '#base/turns.ts';
import type { ContainerMetricsInit, MetricDescriptorInit, PodSandboxMetricsInit } from '#cri-api';
import type { Container } from '../container/types.ts';
import { hasCgroup } from '../container/types.ts';
import { nowNs } from '../sandbox/clock.ts';
import type { Sandbox } from '../sandbox/types.ts';
import type { Daemon } from '../server/types.ts';
import { interfacesOf } from '../stats/net-dev.ts';
import { CPU } from './cpu.ts';
import { DISK, DISK_IO } from './disk.ts';
import { descriptorOf, readFamilies } from './family.ts';
import { HUGETLB, MEMORY, OOM } from './memory.ts';
import { NETWORK } from './network.ts';
import { PRESSURE } from './pressure.ts';
import { countProcesses } from './process-counts.ts';
import { PROCESSES } from './processes.ts';
import type { FileSystem } from './reading.ts';
import { LAST_SEEN, SPEC } from './spec.ts';

const OF_CONTAINERS = [
	...CPU,
	...MEMORY,
	...OOM,
	...HUGETLB,
	...DISK,
	...DISK_IO,
	...PROCESSES,
	...SPEC,
	...PRESSURE,
	...LAST_SEEN,
];

/** Every metric that pods and containers can have. */
export const METRIC_DESCRIPTORS: readonly MetricDescriptorInit[] = [
	...OF_CONTAINERS.map(descriptorOf),
	...NETWORK.map(descriptorOf),
];

/** Layers that were never measured are waited for as long as this, all together. */
const LAYERS_PATIENCE_MS = 1000;

/** What is the same for all containers of one call. */
interface Round {
	readonly fileSystem: FileSystem;
	readonly patience: AbortSignal;
	readonly turn: Turn;
}

type Parts = Pick<Daemon, 'cgroups' | 'containers' | 'sandboxes' | 'stats'>;

/**
 * The metrics of every sandbox that is ready, one pod after the other, read when it is asked for the next. Reading
 * goes on in turns: other calls are served meanwhile. What goes away in between is left out.
 */
export async function* podMetrics(parts: Parts): AsyncGenerator<PodSandboxMetricsInit, void, undefined> {
	const round: Round = {
		fileSystem: await fileSystemOf(parts.containers.layersFolder),
		patience: AbortSignal.timeout(LAYERS_PATIENCE_MS),
		turn: new Turn(),
	};
	for (const { metadata } of parts.sandboxes.list()) {
		const sandbox = parts.sandboxes.get(metadata.id);
		if (sandbox?.status.state === 'ready') yield await ofPod(parts, sandbox, round);
	}
}

async function ofPod(parts: Parts, sandbox: Sandbox, round: Round): Promise<PodSandboxMetricsInit> {
	const { id } = sandbox.metadata;
	const pod = podLabels(sandbox);
	const metrics = readFamilies(NETWORK, interfacesOf(sandbox), { ...pod, id, image: '', container: 'POD' });
	const containerMetrics: ContainerMetricsInit[] = [];
	for (const container of parts.containers.ofSandbox(id).filter(hasCgroup)) {
		containerMetrics.push(await ofContainer(parts, container, pod, round));
		if (round.turn.isOver) await round.turn.pass();
	}
	return { pod_sandbox_id: id, metrics, container_metrics: containerMetrics };
}

type PodLabels = { readonly namespace: string; readonly pod: string };

const podLabels = ({ metadata: { config } }: Sandbox): PodLabels => ({
	namespace: config.metadata?.namespace ?? '',
	pod: config.metadata?.name ?? '',
});

async function ofContainer(
	{ cgroups, stats }: Parts,
	container: Container,
	pod: PodLabels,
	{ fileSystem, patience, turn }: Round,
): Promise<ContainerMetricsInit> {
	const { id, cgroupsPath, config, image } = container.metadata;
	const pids = await cgroups.processes(cgroupsPath);
	const reading = {
		container,
		cgroup: cgroups.stats(cgroupsPath),
		processes: await countProcesses(pids, container.status.process?.pid, turn),
		layer: await stats.layer(container, patience),
		fileSystem,
		nowNs: nowNs(),
	};
	const labels = { ...pod, id, image: image.userReference, container: config.metadata?.name ?? '' };
	return { container_id: id, metrics: readFamilies(OF_CONTAINERS, reading, labels) };
}

async function fileSystemOf(path: string): Promise<FileSystem> {
	const { bsize, blocks, files, ffree } = await statfs(path, { bigint: true });
	return { totalBytes: bsize * blocks, totalInodes: files, freeInodes: ffree };
}
