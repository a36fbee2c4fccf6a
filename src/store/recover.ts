import { allOf } from '#base/all-of.ts';
import { removeHalfWritten } from '#base/atomic-file.ts';
import { resumeInterrupted } from '../checkpoint/interrupted.ts';
import { discardsEnded } from '../container/discard-layer.ts';
import { makePauseRoot } from '../sandbox/pause-root.ts';
import type { Daemon } from '../server/types.ts';
import { finishHalfDone } from './recover-half-done.ts';
import { livingNetworks } from './recover-networks.ts';
import { type Half, readObjects } from './recover-objects.ts';
import { findOrphans, type Orphans, removeOrphans } from './recover-orphans.ts';
import { reconnectAll, reconnectHalfMade } from './recover-shims.ts';
import { renewLeases } from './renew-leases.ts';

/** What is left to do once everything can be served. */
export interface Unfinished {
	readonly half: Half;
	readonly orphans: Orphans;
}

/**
 * Takes over what the daemon before left: objects are read, their shims connected again, exits that happened
 * meanwhile taken note of. Nothing that runs is disturbed, and nothing that is slow or can hang is waited for. After
 * it reads can be answered. Called once, before the first request.
 */
export async function takeOver(daemon: Daemon): Promise<Half> {
	const { config, sandboxes } = daemon;
	await removeHalfWritten(config.state);
	await makePauseRoot(config.root, config.runtime.nativeFolder);
	const half = await readObjects(daemon);
	// Before anything that may hang: what is frozen waits for it.
	resumeInterrupted(daemon);
	await reconnectAll(daemon, sandboxes.list());
	return half;
}

/**
 * What must be known before anything is made or released: the network is told who lives, and what nobody owns is
 * noted, because new objects have no published owner for a while, either.
 */
export async function prepareChanges(daemon: Daemon, half: Half): Promise<Unfinished> {
	const living = await livingNetworks(daemon, half);
	const [orphans] = await allOf([
		findOrphans(daemon, half),
		renewLeases(daemon),
		daemon.network.restore(living),
	]);
	return { half, orphans };
}

/** What was half made or half removed is finished, and what nobody owns is removed, while calls are served. */
export async function finishRecovery(daemon: Daemon, { half, orphans }: Unfinished): Promise<void> {
	const { sandboxes, containers, log } = daemon;
	await reconnectHalfMade(daemon, half.sandboxes);
	await finishHalfDone(daemon, half);
	await removeOrphans(daemon, orphans);
	await discardsEnded(daemon);
	log.info('recovered', { sandboxes: sandboxes.list().length, containers: containers.list().length });
}
