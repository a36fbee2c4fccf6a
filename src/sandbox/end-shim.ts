import { rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { errnoOf, messageOf } from '#base/errors.ts';
import { changing } from '#base/fault-points.ts';
import { checkProcess } from '#runtime';
import type { Daemon } from '../server/types.ts';
import { within } from './clean-up.ts';
import { findShims } from './find-shims.ts';
import type { Sandbox } from './types.ts';

/** A shim answers at once, then ends, and its connection with it. */
const SHUTDOWN_MS = 5_000;
const ENDS_MS = 1_000;
/** After SIGKILL it only has to get the processor, which on a busy node takes its time. */
const DIES_MS = 5_000;

/** Ends the shim of a sandbox that has no containers any more; one that does not answer is killed. */
export async function endShim(
	daemon: Pick<Daemon, 'sandboxes' | 'log' | 'cgroups' | 'config'>,
	sandbox: Sandbox,
): Promise<void> {
	const { sandboxes, log } = daemon;
	const { id } = sandbox.metadata;
	const shim = sandboxes.shims.get(id);
	const identity = shim?.process ?? sandbox.status.shim;
	if (shim !== undefined) {
		// Forgotten first: the end of this connection is no loss.
		sandboxes.shims.delete(id, shim);
		try {
			await changing('shim.shutdown', () =>
				within(`end the shim of sandbox ${id}`, SHUTDOWN_MS, async () => {
					await shim.shutdown();
					await shim.closed;
				}),
			);
		} catch (error) {
			log.warn('the shim does not end by itself and is killed', { sandbox: id, error: messageOf(error) });
		}
		shim.disconnect();
	}
	if (identity !== undefined && (shim === undefined || !(await endsWithin(identity, ENDS_MS))))
		await killShim(identity);
	if (shim === undefined) {
		// One that its record does not name: whoever started it died before it could tell, or the record is damaged.
		for (const found of await findShims(daemon, (sandboxId) => sandboxId === id)) await killShim(found);
	}
	await changing('shim.socket', () => rmSync(sandboxes.shims.socketPath(id), { force: true }));
}

type Identity = NonNullable<Sandbox['status']['shim']>;

async function endsWithin(identity: Identity, patienceMs: number): Promise<boolean> {
	const patience = AbortSignal.timeout(patienceMs);
	for (let pauseMs = 1; await checkProcess(identity); pauseMs = Math.min(pauseMs * 2, 100)) {
		if (patience.aborted) return false;
		await sleep(pauseMs);
	}
	return true;
}

/**
 * Kills a shim, if it is still there, and waits for its end: until then it keeps the cgroup of the instance, which is
 * removed when the daemon stops.
 */
export async function killShim(identity: Identity): Promise<void> {
	if (!(await checkProcess(identity))) return;
	try {
		process.kill(identity.pid, 'SIGKILL');
	} catch (error) {
		// It ended since the look.
		if (errnoOf(error) !== 'ESRCH') throw error;
	}
	await endsWithin(identity, DIES_MS);
}
