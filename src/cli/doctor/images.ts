import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { silentLog } from '#base/log.ts';
import { openImageStore } from '#images';
import type { Launcher } from '#runtime';
import { containerOfHolder } from '../../container/lease-holder.ts';
import type { Finding } from './finding.ts';
import { modifiedMs, namesIn, type Scene } from './scene.ts';

/**
 * Layers and documents that no image needs, interrupted work, and leases of containers that are gone. While a daemon
 * runs, only it knows what a pull is about to need, so that then the leases alone are looked at.
 */
export async function findImages(scene: Scene, launcher: Launcher): Promise<readonly Finding[]> {
	const { config, daemonRuns, owned } = scene;
	const root = join(config.root, 'images');
	const leases = (await readLeases(join(root, 'leases'))).filter(
		({ holder }) => !owned.containers.has(containerOfHolder(holder)),
	);
	const lost = leases.map(
		({ holder, image, path, sinceMs }): Finding => ({
			kind: 'lease',
			name: path,
			why: `no container has it; it keeps the image ${image} from being removed`,
			owner: holder,
			sinceMs,
			fix: daemonRuns
				? 'nothing while the daemon runs, for it holds the lease too; its next start drops it'
				: 'removes it; the image stays',
			remedy: daemonRuns ? 'restart gantryd' : `rm ${path}`,
			removal: daemonRuns ? { how: 'none' } : { how: 'tree', path },
		}),
	);
	if (daemonRuns || (await modifiedMs(root)) === undefined) return lost;
	const garbage = (await garbageOf(scene, launcher, false)).map(
		async ({ path, why }): Promise<Finding> => ({
			kind: 'image data',
			name: path,
			why,
			owner: '',
			sinceMs: await modifiedMs(path),
			fix: 'removes it; a later pull brings what it needs again',
			remedy: 'gantry doctor --fix',
			removal: { how: 'finder' },
		}),
	);
	return [...lost, ...(await Promise.all(garbage))];
}

/** Removes all image data that nothing needs. Not while a daemon runs. */
export async function removeImageData(scene: Scene, launcher: Launcher): Promise<void> {
	await garbageOf(scene, launcher, true);
}

async function garbageOf({ config }: Scene, launcher: Launcher, fix: boolean) {
	await using store = await openImageStore({
		root: join(config.root, 'images'),
		files: launcher,
		log: silentLog,
		lookOnly: true,
		nameHolder: (holder) => `container ${containerOfHolder(holder)}`,
		registriesConf: config.images.registriesConf,
	});
	return await store.garbage({ fix });
}

/** Leases as files: a file that cannot be read is the image store's to tell. */
async function readLeases(folder: string) {
	const found = (await namesIn(folder)).map(async (name) => {
		const path = join(folder, name);
		const { holder, imageId } = await readJson(path);
		if (typeof holder !== 'string') return [];
		return [{ holder, image: String(imageId), path, sinceMs: await modifiedMs(path) }];
	});
	return (await Promise.all(found)).flat();
}

async function readJson(path: string): Promise<{ holder?: unknown; imageId?: unknown }> {
	try {
		return JSON.parse(await readFile(path, 'utf8')) ?? {};
	} catch {
		return {};
	}
}
