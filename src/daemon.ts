import type { Log } from '#base/log.ts';
import { Rollback } from '#base/rollback.ts';
import { openCgroups } from '#runtime';
import { checkpointsEnded } from './checkpoint/claim.ts';
import type { Config } from './config/types.ts';
import { type MetricsServer, startMetricsServer } from './metrics/http-server.ts';
import { createDispatcher } from './server/dispatch.ts';
import { Gate } from './server/gate.ts';
import { startGrpcServer } from './server/grpc-server.ts';
import { handlers } from './server/handlers.ts';
import type { Daemon } from './server/types.ts';
import { writeDataVersion } from './startup/data-version.ts';
import { folderWarning } from './startup/folders.ts';
import type { NewFolders } from './startup/new-folders.ts';
import { endOwnLauncher, startOwnLauncher } from './startup/own-launcher.ts';
import { checkRequirements } from './startup/requirements.ts';
import { closeStores, openStores } from './startup/stores.ts';
import { finishRecovery, prepareChanges, takeOver } from './store/recover.ts';

/** How long calls that are under way may still take when the daemon stops. */
const STOP_GRACE_MS = 5000;

export interface RunningDaemon {
	readonly daemon: Daemon;
	/**
	 * Stops serving, then takes back everything in the reverse order of the start. Sandboxes and their shims live
	 * on; when there are none, what the daemon made for itself on the machine (network, cgroups) goes too.
	 */
	stop(): Promise<void>;
}

/**
 * Starts everything in order: checks, launcher with locks and folders, stores, records and shims, the socket, and at last
 * the parts of the recovery that may take long. A failure leaves nothing behind.
 */
export async function startDaemon(config: Config, log: Log, folders: NewFolders): Promise<RunningDaemon> {
	const startedMs = performance.now();
	const started = new Rollback();
	try {
		const daemon = await startParts(config, log, started, folders);
		sayReady(daemon, performance.now() - startedMs);
		return { daemon, stop: () => takeBack(started, log) };
	} catch (error) {
		await takeBack(started, log);
		await folders.takeBack();
		throw error;
	}
}

async function startParts(config: Config, log: Log, started: Rollback, folders: NewFolders): Promise<Daemon> {
	checkRequirements(config);
	const cgroups = await openCgroups();
	const launcher = await startOwnLauncher(config, log, cgroups);
	let isDeserted = (): boolean => false;
	started.push('the launcher', () => endOwnLauncher(launcher, config, cgroups, isDeserted()));
	folders.locked();
	started.push('the folders of this start', () => folders.takeBack());
	const warning = await folderWarning(config);
	if (warning !== undefined) log.warn(warning);
	await writeDataVersion(config, log);
	const daemon = await openStores(config, log, cgroups, launcher);
	started.push('the stores', () => closeStores(daemon));
	// Takes tens of milliseconds; the first container waits for it, nobody else does.
	void daemon.appArmor.prepare();
	const half = await takeOver(daemon);
	isDeserted = () => noPodIsLeft(daemon);
	// Not before the records have been read: what runs in the profile would run without.
	started.push('the AppArmor profile', () => endAppArmor(daemon));
	const metrics = await startMetrics(daemon);
	started.push('the metrics server', async () => await metrics?.[Symbol.asyncDispose]());
	started.push('checkpoints under way', () => checkpointsEnded(daemon));
	const changes = new Gate();
	const server = await startGrpcServer({
		address: config.listen,
		socket: config.socket,
		maxMessageBytes: config.grpc.maxMessageBytes,
		dispatcher: createDispatcher(daemon, handlers, changes),
	});
	started.push('the gRPC server', () => server.stop(STOP_GRACE_MS));
	started.push('calls that wait', () => changes.refuse());
	const unfinished = await prepareChanges(daemon, half);
	// From here on pods can be made in them.
	folders.keep();
	changes.open();
	await finishRecovery(daemon, unfinished);
	return daemon;
}

const noPodIsLeft = ({ sandboxes }: Daemon): boolean =>
	sandboxes.list().length === 0 && sandboxes.unpublished.size === 0;

/** The profile goes when no pod is left. */
async function endAppArmor(daemon: Daemon): Promise<void> {
	if (noPodIsLeft(daemon)) await daemon.appArmor.removeOwn();
}

async function takeBack(started: Rollback, log: Log): Promise<void> {
	for (const failure of await started.run()) log.error('The stop is not complete', { error: failure });
}

async function startMetrics(daemon: Daemon): Promise<MetricsServer | undefined> {
	if (daemon.config.metrics.address === '') return undefined;
	daemon.metrics.collectProcess();
	const server = await startMetricsServer(daemon.config.metrics.address, daemon.metrics, () =>
		daemon.problems(),
	);
	daemon.log.info('Serving /metrics and /healthz', { address: server.address });
	return server;
}

function sayReady(daemon: Daemon, tookMs: number): void {
	daemon.log.info('Ready', {
		version: daemon.version,
		instance: daemon.config.instance,
		listen: daemon.config.listen,
		tookMs: Math.round(tookMs),
		sandboxes: daemon.sandboxes.list().length,
		containers: daemon.containers.list().length,
		images: daemon.images.list().length,
	});
	const { ready, message } = daemon.network.status();
	if (!ready) daemon.log.warn(`The network is not ready: ${message}`);
}
