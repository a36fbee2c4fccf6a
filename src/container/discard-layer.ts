import { statfsSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import { errnoOf, messageOf } from '#base/errors.ts';
import { CleanUp, within } from '../sandbox/clean-up.ts';
import { takeBack } from '../sandbox/take-back.ts';
import type { Daemon } from '../server/types.ts';
import { REMOVED } from '../store/records.ts';

/** Longest time to remove what a container wrote: it may be a million files. */
export const REMOVE_TIMEOUT_MS = 120_000;
/** What the daemon waits at its end; the next one removes the rest. */
const STOP_TIMEOUT_MS = 10_000;
/** No more removals than this at once go on behind the answers. */
const MOST_BEHIND = 16;
/** The part of a file system, in room and in inodes, below which nobody is to think that it was given back already. */
const AMPLE = 1 / 5;

type Home = Pick<Daemon, 'containers' | 'sandboxes' | 'launcher' | 'log'>;

/**
 * Takes away what a removed container wrote. It is put aside in one step and leaves the disk behind the caller's back;
 * a daemon that ends meanwhile leaves it to the next one. Where room is scarce it is gone when this settles: a kubelet
 * that removes containers to get room measures right afterwards, and evicts pods if that did not help.
 */
export async function discardLayer(daemon: Home, id: string): Promise<void> {
	const { containers, launcher } = daemon;
	const [folder, aside] = [containers.layerFolder(id), containers.layerFolder(`${REMOVED}${id}`)];
	try {
		await rename(folder, aside);
	} catch (error) {
		if (errnoOf(error) === 'ENOENT') return;
		// There may be no room for the longer name.
		return await launcher.removeTree(folder);
	}
	const discard = removeAside(daemon, id, aside).finally(() => containers.discards.delete(discard));
	containers.discards.add(discard);
	if (containers.discards.size > MOST_BEHIND || isScarce(containers.layersFolder)) await discard;
}

/** Waits for what leaves the disk now; what takes too long is left to the next daemon. */
export async function discardsEnded({ containers, log }: Pick<Home, 'containers' | 'log'>): Promise<void> {
	try {
		await within('remove what containers wrote', STOP_TIMEOUT_MS, () => Promise.all(containers.discards));
	} catch (error) {
		log.warn('the next start goes on with a removal', { error: messageOf(error) });
	}
}

/** What fails is tried again behind this. Does not reject. */
async function removeAside(daemon: Home, id: string, aside: string): Promise<void> {
	try {
		await takeBack(daemon, `what container ${id} wrote`, async () => {
			const cleanUp = new CleanUp();
			await cleanUp.step(`remove ${aside}`, REMOVE_TIMEOUT_MS, () => daemon.launcher.removeTree(aside));
			return cleanUp;
		});
	} catch (error) {
		daemon.log.warn('what a removed container wrote is still there', {
			container: id,
			error: messageOf(error),
		});
	}
}

/** At once: no local file system asks its disk for this. */
function isScarce(path: string): boolean {
	const { blocks, bavail, files, ffree } = statfsSync(path);
	return bavail < blocks * AMPLE || ffree < files * AMPLE;
}
