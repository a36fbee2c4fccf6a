import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { Log } from '#base/log.ts';
import { openImageStore } from '#images';
import { type Cgroups, Criu, connectShim, nativeBinary, runtimeFeatures } from '#runtime';
import { AppArmor } from '../apparmor/app-armor.ts';
import type { Config } from '../config/types.ts';
import { Containers } from '../container/containers.ts';
import { discardsEnded } from '../container/discard-layer.ts';
import { nameHolder } from '../container/lease-holder.ts';
import { stateName } from '../container/types.ts';
import { EventBus } from '../events/event-bus.ts';
import { createMetrics, type Metrics } from '../metrics/metrics.ts';
import { openNetwork } from '../network/index.ts';
import { cgroupsPathOf } from '../sandbox/cgroup-parent.ts';
import { Sandboxes } from '../sandbox/sandboxes.ts';
import { PullsUnderWay } from '../server/pulls-under-way.ts';
import { RecentErrors } from '../server/recent-errors.ts';
import type { Daemon } from '../server/types.ts';
import { readHostFacts } from '../spec/host-facts.ts';
import { Stats } from '../stats/stats.ts';
import { openStreaming } from '../streaming/open.ts';
import type { LauncherKeeper } from './launcher-keeper.ts';
import { VERSION } from './version.ts';

/** Opens every part of the daemon. Nothing is recovered and nothing is served yet. */
export async function openStores(
	config: Config,
	log: Log,
	cgroups: Cgroups,
	launcher: LauncherKeeper,
): Promise<Daemon> {
	const host = readHostFacts(cgroups.version);
	const containers = new Containers({ state: config.state, root: config.root, host, log });
	// By the folder, not by what is published: recovery also takes back what never was.
	const bundleOf = (id: string): string =>
		join(existsSync(join(containers.folder, id)) ? containers.folder : sandboxes.folder, id, 'bundle');
	const sandboxes = new Sandboxes({
		state: config.state,
		root: config.root,
		connectShim: (socketPath) =>
			connectShim({ socketPath, launcher, cgroups, log, instance: config.instance, bundleOf }),
		log,
	});
	const metrics = createMetrics(VERSION, {
		containers: () => containers.list().map(({ status }) => stateName(status)),
		sandboxes: () => sandboxes.list().map(({ status }) => status.state),
		networkReady: () => daemon.network.status().ready,
	});
	launcher.onRestart = () => metrics.launcherRestarted();
	const stats = new Stats({
		cgroups,
		containers,
		sandboxes,
		sandboxCgroup: ({ metadata }) => cgroupsPathOf(metadata.cgroupParent, config.instance, metadata.id),
		treeUsage: (path) => launcher.treeUsage(path),
		log,
	});
	// Before what would have to be closed again: its address may be taken.
	const streaming = await openStreaming(config, log, () => daemon);
	const daemon: Daemon = {
		version: VERSION,
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
		images: await openImages(config, log, launcher, metrics, (holder) =>
			nameHolder({ containers, sandboxes }, holder),
		),
		network: await openOwnNetwork(config, log, launcher),
		sandboxes,
		containers,
		events: new EventBus(),
		stats,
		streaming,
		metrics,
		features: await runtimeFeatures(),
		recentErrors: new RecentErrors(),
		pulls: new PullsUnderWay(),
		startedAt: new Date(),
		problems: () => (launcher.isAlive ? [] : ['the launcher is gone and is being started again']),
	};
	followEvents(daemon);
	warnOfLimits(host.capabilities, log);
	return daemon;
}

/** Closes what `openStores` opened. Shims live on; the network's host side goes when no sandbox needs it. */
export async function closeStores(daemon: Daemon): Promise<void> {
	const { sandboxes, network, images, streaming } = daemon;
	await streaming[Symbol.asyncDispose]();
	await discardsEnded(daemon);
	const isUsed = sandboxes
		.list()
		.some(({ metadata, status }) => !metadata.hostNetwork && !status.networkReleased);
	sandboxes.close();
	await network.close({ removeHostParts: !isUsed });
	await images[Symbol.asyncDispose]();
}

function openImages(
	config: Config,
	log: Log,
	launcher: LauncherKeeper,
	metrics: Metrics,
	nameHolder: (holder: string) => string,
): Promise<Daemon['images']> {
	const { workers, stallTimeoutSeconds, ...options } = config.images;
	return openImageStore({
		...options,
		root: join(config.root, 'images'),
		files: launcher,
		log,
		workers: workers === 0 ? Math.min(4, availableParallelism()) : workers,
		stallTimeoutMs: stallTimeoutSeconds * 1000,
		hooks: metrics.images,
		nameHolder,
	});
}

function openOwnNetwork(config: Config, log: Log, launcher: LauncherKeeper): Promise<Daemon['network']> {
	return openNetwork({
		...config.network,
		instance: config.instance,
		launcher,
		stateFolder: config.state,
		rootFolder: config.root,
		hookBinary: nativeBinary('gantry-hook', config.runtime.nativeFolder),
		log,
	});
}

/** Counts OOM kills, and lets the stats forget what is gone. */
function followEvents({ events, containers, metrics, stats }: Daemon): void {
	events.subscribe(({ type, containerId }) => {
		if (type === 'CONTAINER_DELETED_EVENT') stats.forgetGone();
		const isStop = type === 'CONTAINER_STOPPED_EVENT';
		if (isStop && containers.get(containerId)?.status.reason === 'OOMKilled') metrics.oomKilled();
	});
}

function warnOfLimits(capabilities: readonly string[], log: Log): void {
	if (!capabilities.includes('CAP_SYS_RESOURCE'))
		log.warn(
			'CAP_SYS_RESOURCE is missing: oom_score_adj cannot be lowered and hard limits cannot be raised; what containers ask for is lowered to what is allowed',
		);
}
