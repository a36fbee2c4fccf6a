import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, messageOf } from '#base/errors.ts';
import type { ProcessIdentity } from '#runtime';
import { containerOfHolder } from '../container/lease-holder.ts';
import { within } from '../sandbox/clean-up.ts';
import { killShim } from '../sandbox/end-shim.ts';
import { findShims } from '../sandbox/find-shims.ts';
import { findCgroups, removeCgroup } from '../sandbox/lost-cgroups.ts';
import type { Daemon } from '../server/types.ts';
import type { Half } from './recover-objects.ts';

const STEP_TIMEOUT_MS = 30_000;

/** What no record owns: after a reboot, or when somebody removed the state folder, with or without what ran. */
export interface Orphans {
	/** Holders of leases of images. */
	readonly holders: readonly string[];
	/** Ids of containers that have written something. */
	readonly layers: readonly string[];
	/** Ids of sandboxes that have files. */
	readonly files: readonly string[];
	/** Socket paths of shims, and shims without a socket. */
	readonly sockets: readonly string[];
	readonly shims: readonly ProcessIdentity[];
	/** OCI paths. */
	readonly cgroups: readonly string[];
}

/** Looks for them. To be called before anything is made: what is being made looks the same. */
export async function findOrphans(daemon: Daemon, half: Half): Promise<Orphans> {
	const { images, containers, sandboxes } = daemon;
	const known = new Set(
		[...sandboxes.list(), ...containers.list(), ...half.sandboxes, ...half.containers].map(
			({ metadata }) => metadata.id,
		),
	);
	const isLost = (id: string): boolean => !known.has(id);
	const living = new Set([...known].map((id) => sandboxes.shims.socketPath(id)));
	const sockets = (await names(sandboxes.shims.folder)).map((name) => join(sandboxes.shims.folder, name));
	return {
		holders: images
			.holders()
			.map(({ holder }) => holder)
			.filter((holder) => isLost(containerOfHolder(holder))),
		layers: (await names(containers.layersFolder)).filter(isLost),
		files: (await names(sandboxes.filesFolder)).filter(isLost),
		sockets: sockets.filter((path) => !living.has(path)),
		shims: await findShims(daemon, isLost),
		cgroups: await findCgroups(daemon, isLost),
	};
}

/** Removes them. What fails is logged, and found again at the next start. */
export async function removeOrphans(daemon: Daemon, orphans: Orphans): Promise<void> {
	// Processes before what they use.
	await each(daemon, 'a shim that no record owns', orphans.sockets, (path) => endAtSocket(daemon, path));
	await each(daemon, 'a shim that no record owns', orphans.shims, killShim);
	await each(daemon, 'the cgroup of a lost container', orphans.cgroups, (path) => removeCgroup(daemon, path));
	const { images, containers, sandboxes, launcher } = daemon;
	await each(daemon, 'what a lost container wrote', orphans.layers, (id) =>
		launcher.removeTree(containers.layerFolder(id)),
	);
	await each(daemon, 'the files of a lost sandbox', orphans.files, (id) =>
		rm(sandboxes.filesOf(id), { recursive: true, force: true }),
	);
	await each(daemon, 'the image lease of a lost container', orphans.holders, (id) => images.release(id));
}

async function each<T extends string | ProcessIdentity>(
	{ log }: Daemon,
	what: string,
	orphans: readonly T[],
	remove: (orphan: T) => Promise<unknown>,
): Promise<void> {
	await Promise.all(
		orphans.map(async (orphan) => {
			const name = typeof orphan === 'string' ? orphan : `process ${orphan.pid}`;
			try {
				await remove(orphan);
				log.info(`removed ${what}`, { name });
			} catch (error) {
				log.error(`cannot remove ${what}`, { name, error: messageOf(error) });
			}
		}),
	);
}

async function endAtSocket({ sandboxes, log }: Daemon, path: string): Promise<void> {
	try {
		await within(`end the shim at ${path}`, STEP_TIMEOUT_MS, () =>
			endStranger(sandboxes.shims.connect, path),
		);
	} catch (error) {
		log.debug('removing the socket of a shim that is gone', { path, error: messageOf(error) });
	}
	await rm(path, { force: true });
}

async function endStranger(connect: Daemon['sandboxes']['shims']['connect'], path: string): Promise<void> {
	const shim = await connect(path);
	try {
		// The containers before the sandbox, whose namespaces they are in.
		const ids = (await shim.list()).map(({ id }) => id).filter((id) => id !== shim.sandboxId);
		for (const id of [...ids, shim.sandboxId]) await shim.delete(id);
		await shim.shutdown();
	} finally {
		shim.disconnect();
	}
}

async function names(folder: string): Promise<readonly string[]> {
	try {
		return await readdir(folder);
	} catch (error) {
		if (errnoOf(error) === 'ENOENT') return [];
		throw error;
	}
}
