import { join } from 'node:path';
import { isId } from '#base/ids.ts';
import { REMOVED } from '../../store/records.ts';
import type { Finding } from './finding.ts';
import { modifiedMs, namesIn, type Scene, type Unfinished } from './scene.ts';

/** Objects that are not whole, and folders among theirs that are none. */
export async function findUnfinished(scene: Scene): Promise<readonly Finding[]> {
	const objects = scene.owned.unfinished.map((object) => describe(scene, object));
	return [
		...objects,
		...(await strangeFolders(scene, 'sandboxes')),
		...(await strangeFolders(scene, 'containers')),
	];
}

function describe({ daemonRuns }: Scene, { kind, id, folder, state, why, sinceMs }: Unfinished): Finding {
	const common = { kind: `${state} ${kind}`, name: folder, owner: id, sinceMs, ofLiving: true };
	if (daemonRuns)
		return {
			...common,
			why: `${why}; the daemon lists it as UNKNOWN`,
			fix: `asks the daemon to remove the ${kind}, with all that runs in it`,
			remedy: kind === 'sandbox' ? `crictl rmp -f ${id}` : `crictl rm -f ${id}`,
			removal: { how: 'daemon', object: kind, id },
		};
	const next =
		state === 'unreadable'
			? 'would list it as UNKNOWN'
			: state === 'half-made'
				? 'would take it back'
				: 'would finish that';
	return {
		...common,
		why: `${why}; the next start of the daemon ${next}`,
		fix: `removes the folder; what else there is of this ${kind} is told and removed with it`,
		remedy: state === 'unreadable' ? `rm -r ${folder}` : 'start gantryd',
		removal: { how: 'tree', path: folder },
	};
}

async function strangeFolders(
	{ config }: Scene,
	place: 'sandboxes' | 'containers',
): Promise<readonly Finding[]> {
	const folder = join(config.state, place);
	const strange = (await namesIn(folder)).filter((name) => !isId(name));
	return await Promise.all(
		strange.map(async (name) => {
			const path = join(folder, name);
			const isRemoved = name.startsWith(REMOVED);
			return {
				kind: isRemoved ? 'removed folder' : 'strange folder',
				name: path,
				owner: '',
				why: isRemoved
					? 'the object is gone; the daemon ended before the last of its files were'
					: `its name is no id, so that it is the folder of none of the ${place}`,
				sinceMs: await modifiedMs(path),
				fix: 'removes it with everything in it',
				remedy: `rm -r ${path}`,
				removal: { how: 'tree' as const, path },
			};
		}),
	);
}
