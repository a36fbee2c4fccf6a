import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, messageOf } from '#base/errors.ts';
import { within } from '../sandbox/clean-up.ts';
import type { Daemon } from '../server/types.ts';

const STEP_TIMEOUT_MS = 30_000;

/** Removes what no record owns: layers and leases of containers and files of sandboxes that a reboot took, shims that nobody knows. */
export async function removeOrphans(daemon: Daemon): Promise<void> {
	await Promise.all([removeShims(daemon), removeLeases(daemon), removeLayers(daemon), removeFiles(daemon)]);
}

async function removeLeases({ images, containers }: Daemon): Promise<void> {
	const lost = images.holders().filter(({ holder }) => containers.get(holder) === undefined);
	await Promise.all(lost.map(({ holder }) => images.release(holder)));
}

async function removeLayers({ containers, launcher, log }: Daemon): Promise<void> {
	const lost = (await names(containers.layersFolder)).filter((id) => containers.get(id) === undefined);
	for (const id of lost) {
		log.info('removing what a lost container wrote', { container: id });
		await launcher.removeTree(containers.layerFolder(id));
	}
}

async function removeFiles({ sandboxes, log }: Daemon): Promise<void> {
	const lost = (await names(sandboxes.filesFolder)).filter((id) => sandboxes.get(id) === undefined);
	for (const id of lost) {
		log.info('removing the files of a lost sandbox', { sandbox: id });
		await rm(sandboxes.filesOf(id), { recursive: true, force: true });
	}
}

async function removeShims({ sandboxes, log }: Daemon): Promise<void> {
	const known = new Set(sandboxes.list().map(({ metadata }) => sandboxes.shims.socketPath(metadata.id)));
	const sockets = (await names(sandboxes.shims.folder)).map((name) => join(sandboxes.shims.folder, name));
	await Promise.all(
		sockets
			.filter((path) => !known.has(path))
			.map(async (path) => {
				try {
					await within(`end the shim at ${path}`, STEP_TIMEOUT_MS, () =>
						endStranger(sandboxes.shims.connect, path),
					);
					log.warn('ended a shim that no record owned', { path });
				} catch (error) {
					log.debug('removing the socket of a shim that is gone', { path, error: messageOf(error) });
				}
				await rm(path, { force: true });
			}),
	);
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
