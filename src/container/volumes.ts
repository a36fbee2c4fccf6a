import { join, posix } from 'node:path';
import type { ImageTree } from './image-tree.ts';

/** A folder that the runtime makes for an anonymous volume of the image. */
export interface Volume {
	readonly destination: string;
	readonly source: string;
	readonly mode: number;
	readonly uid: number;
	readonly gid: number;
}

/**
 * The image's volumes as folders of their own below `folder`, with the owner and mode that the image gives them. A
 * volume in which the image has files stays in the writable layer, where they are.
 */
export async function imageVolumes(
	paths: readonly string[],
	tree: ImageTree,
	folder: string,
): Promise<readonly Volume[]> {
	const found = await Promise.all(
		paths.map(async (path, index): Promise<readonly Volume[]> => {
			const destination = posix.normalize(path).replace(/\/$/, '');
			if (!destination.startsWith('/') || destination === '') return [];
			const entry = await tree.find(destination);
			if (entry !== undefined && (!entry.stats.isDirectory() || !(await tree.isEmpty(entry)))) return [];
			const { mode = 0o755, uid = 0, gid = 0 } = entry?.stats ?? {};
			return [{ destination, source: join(folder, String(index)), mode: mode & 0o7777, uid, gid }];
		}),
	);
	return found.flat();
}
