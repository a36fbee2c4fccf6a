import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { changing } from '#base/fault-points.ts';
import { CleanUp } from '../sandbox/clean-up.ts';
import { DELETE_TIMEOUT_MS, deleteFromRuntime } from '../sandbox/runtime-delete.ts';
import type { Daemon } from '../server/types.ts';
import { REMOVE_TIMEOUT_MS } from './discard-layer.ts';
import { containerOfHolder } from './lease-holder.ts';
import { containerName } from './metadata.ts';
import type { Container } from './types.ts';

export interface TeardownOptions {
	/** Collects the failures. */
	readonly cleanUp?: CleanUp;
	/** Removes ROOT/containers/ID. By default it is gone when the teardown is. */
	readonly removeLayer?: (daemon: Daemon, id: string) => Promise<void>;
}

/**
 * Takes back everything that a container has on the machine: the one teardown of remove, of a failed create and of
 * recovery. Every step may be done twice. The folder with the record goes last, and only when nothing failed.
 */
export async function teardownContainer(
	daemon: Daemon,
	{ metadata, status }: Container,
	{ cleanUp = new CleanUp(), removeLayer = removeAtOnce }: TeardownOptions = {},
): Promise<CleanUp> {
	const { id, sandboxId, folder, config } = metadata;
	const { containers, images } = daemon;
	const before = cleanUp.failures.length;
	// First of all: no failed clean-up keeps a name.
	if (config.metadata !== null) containers.names.release(containerName(sandboxId, config.metadata), id);
	const deleted = cleanUp.step(`delete container ${id}`, DELETE_TIMEOUT_MS, () =>
		deleteFromRuntime(daemon, { sandboxId, id, bundle: join(folder, 'bundle') }),
	);
	// What has ended uses neither its files nor its image any more.
	if (status.finishedAtNs === undefined) await deleted;
	await Promise.all([
		deleted,
		cleanUp.step(`remove the files of container ${id}`, REMOVE_TIMEOUT_MS, () =>
			changing('remove.files', () => removeLayer(daemon, id)),
		),
		cleanUp.step(`release the image of container ${id}`, DELETE_TIMEOUT_MS, () =>
			changing('remove.lease', () => releaseImages(images, id)),
		),
	]);
	if (cleanUp.failures.length > before) return cleanUp;
	await cleanUp.step(`remove ${folder}`, REMOVE_TIMEOUT_MS, () => containers.records.remove(id));
	if (cleanUp.failures.length === before) containers.delete(id);
	return cleanUp;
}

async function removeAtOnce({ containers, launcher }: Daemon, id: string): Promise<void> {
	const folder = containers.layerFolder(id);
	if (existsSync(folder)) await launcher.removeTree(folder);
}

/** What a create that failed has leased no record tells: the leases do. */
async function releaseImages(images: Daemon['images'], id: string): Promise<void> {
	const held = images.holders().map(({ holder }) => holder);
	await Promise.all(
		held.filter((holder) => containerOfHolder(holder) === id).map((holder) => images.release(holder)),
	);
}
