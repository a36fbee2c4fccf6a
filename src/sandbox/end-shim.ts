import { rm } from 'node:fs/promises';
import { errnoOf, messageOf } from '#base/errors.ts';
import { changing } from '#base/fault-points.ts';
import { checkProcess } from '#runtime';
import type { Daemon } from '../server/types.ts';
import { within } from './clean-up.ts';
import { findShims } from './find-shims.ts';
import type { Sandbox } from './types.ts';

/** A shim answers at once, then ends. */
const SHUTDOWN_MS = 5_000;

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
				within(`end the shim of sandbox ${id}`, SHUTDOWN_MS, () => shim.shutdown()),
			);
		} catch (error) {
			log.warn('the shim does not end by itself and is killed', { sandbox: id, error: messageOf(error) });
		}
		shim.disconnect();
	}
	if (identity !== undefined && (shim === undefined || !(await endsSoon(identity)))) await killShim(identity);
	if (shim === undefined) {
		// One that its record does not name: whoever started it died before it could tell, or the record is damaged.
		for (const found of await findShims(daemon, (sandboxId) => sandboxId === id)) await killShim(found);
	}
	await changing('shim.socket', () => rm(sandboxes.shims.socketPath(id), { force: true }));
}

type Identity = NonNullable<Sandbox['status']['shim']>;

async function endsSoon(identity: Identity): Promise<boolean> {
	for (let attempt = 0; attempt < 20; attempt++) {
		if (!(await checkProcess(identity))) return true;
		await new Promise((resolve) => setTimeout(resolve, 5 * (attempt + 1)));
	}
	return false;
}

/** Kills a shim, if it is still there. */
export async function killShim(identity: Identity): Promise<void> {
	if (!(await checkProcess(identity))) return;
	try {
		process.kill(identity.pid, 'SIGKILL');
	} catch (error) {
		// It ended since the look.
		if (errnoOf(error) !== 'ESRCH') throw error;
	}
}
