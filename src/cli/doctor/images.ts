import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { silentLog } from '#base/log.ts';
import { openImageStore } from '#images';
import type { Launcher } from '#runtime';
import type { Finding } from './finding.ts';
import type { Scene } from './scene.ts';

/** Layers that no image needs, interrupted work, and leases of containers that are gone. Only while no daemon uses the store. */
export async function findImages(
	scene: Scene,
	launcher: Launcher,
	fix: boolean,
): Promise<readonly Finding[]> {
	const { config, daemonRuns, owned } = scene;
	const root = join(config.root, 'images');
	if (daemonRuns || !(await exists(root))) return [];
	await using store = await openImageStore({
		root,
		files: launcher,
		log: silentLog,
		keepInterrupted: true,
		registriesConf: config.images.registriesConf,
	});
	const lost = store.holders().filter(({ holder }) => !owned.containers.has(holder));
	if (fix) for (const { holder } of lost) await store.release(holder);
	const leases = lost.map(({ holder, imageId }) => finding('lease', imageId, 'no container has it', holder));
	const garbage = (await store.garbage({ fix })).map(({ path, why }) => finding('image data', path, why, ''));
	return [...leases, ...garbage];
}

function finding(kind: string, name: string, why: string, owner: string): Finding {
	return {
		kind,
		name,
		why,
		owner,
		sinceMs: undefined,
		remedy: 'gantry doctor --fix',
		removal: { how: 'finder' },
	};
}

async function exists(path: string): Promise<boolean> {
	return (await stat(path).catch(() => undefined)) !== undefined;
}
