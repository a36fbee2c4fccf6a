import { existsSync, rmdirSync } from 'node:fs';
import { messageOf } from '#base/errors.ts';
import { changing } from '#base/fault-points.ts';
import type { Daemon } from '../server/types.ts';
import type { SandboxMetadata } from './types.ts';

/**
 * The cgroups that a pod below `parent` brings into being, deepest first: those that are not there yet, and those
 * that are there for another pod of ours only. A kubelet makes the parent itself, so that nothing is ours then.
 */
export function cgroupsToMake(
	{ cgroups, sandboxes, config: { instance } }: Pick<Daemon, 'cgroups' | 'sandboxes' | 'config'>,
	parent: string,
): readonly string[] {
	const all = [...sandboxes.list().map(({ metadata }) => metadata), ...sandboxes.unpublished.values()];
	const ours = new Set(all.flatMap(({ madeCgroups }) => madeCgroups));
	const isThere = (path: string): boolean => cgroups.folders(path).some((folder) => existsSync(folder));
	return withAncestors(parent).filter(
		(path) => path !== `/${instance}` && (ours.has(path) || !isThere(path)),
	);
}

/** Removes them, as far as nobody else has put anything in them. */
export async function removeMadeCgroups(
	{ cgroups, log }: Pick<Daemon, 'cgroups' | 'log'>,
	{ id, madeCgroups }: Pick<SandboxMetadata, 'id' | 'madeCgroups'>,
): Promise<void> {
	for (const path of madeCgroups) {
		await changing('cgroup.remove', () => {
			for (const folder of cgroups.folders(path)) {
				try {
					rmdirSync(folder);
				} catch (error) {
					// EBUSY: another pod lives in it. ENOENT: it was never made in this hierarchy.
					log.debug('a cgroup stays', { sandbox: id, folder, why: messageOf(error) });
				}
			}
		});
	}
}

/** `/a/b`, `/a`. */
function withAncestors(path: string): readonly string[] {
	const parts = path.split('/').filter((part) => part !== '');
	return parts.map((_, index) => `/${parts.slice(0, parts.length - index).join('/')}`);
}
