import { join } from 'node:path';
import { changing } from '#base/fault-points.ts';
import type { Daemon } from '../server/types.ts';
import type { CleanUp } from './clean-up.ts';
import { DELETE_TIMEOUT_MS, deleteFromRuntime } from './runtime-delete.ts';
import type { Sandbox } from './types.ts';

/**
 * Deletes the process that holds the network, then releases that. Noted at once, whatever else failed: addresses and
 * host ports may be another pod's from now on, and must not be taken from that by a second stop.
 */
export async function endNetwork(daemon: Daemon, sandbox: Sandbox, cleanUp: CleanUp): Promise<void> {
	const { sandboxes } = daemon;
	const { id, folder } = sandbox.metadata;
	const isDeleted = await cleanUp.step(`delete the process of sandbox ${id}`, DELETE_TIMEOUT_MS, () =>
		deleteFromRuntime(daemon, { sandboxId: id, id, bundle: join(folder, 'bundle') }),
	);
	if (!isDeleted) return;
	const isReleased = await cleanUp.step(`release the network of sandbox ${id}`, DELETE_TIMEOUT_MS, () =>
		releaseNetwork(daemon, sandbox),
	);
	if (!isReleased) return;
	sandboxes.update(id, { networkReleased: true });
	await changing('stop.record', () => sandboxes.trySave(id));
}

/** Frees the sandbox's addresses and ports. A plug-in's failure is logged: it never keeps a sandbox. */
async function releaseNetwork(
	{ network, log, metrics }: Pick<Daemon, 'network' | 'log' | 'metrics'>,
	sandbox: Sandbox,
): Promise<void> {
	const { metadata, status } = sandbox;
	if (metadata.hostNetwork || status.networkReleased) return;
	const complaint = await changing('network.release', () =>
		network.release(metadata.id, metadata.folder, status.network),
	);
	if (complaint === '') return;
	metrics.networkFailed('release');
	log.warn('the network was released with a complaint', { sandbox: metadata.id, complaint });
}
