import { type Cgroups, openCgroups } from '#runtime';
import type { CgroupMember, Finding } from './finding.ts';
import { sandboxesWithShim } from './processes.ts';
import { isOwned, modifiedMs, type Scene } from './scene.ts';

/**
 * Cgroups named `<instance>-<id>` without a record, wherever their parent is; processes in those of living objects
 * whose shim is gone; and the cgroups of the instance itself when nothing of it lives.
 */
export async function findCgroups(scene: Scene): Promise<readonly Finding[]> {
	const { config, owned } = scene;
	const cgroups = await openCgroups();
	const ofObject = new RegExp(`^${config.instance}-[0-9a-f]{64}$`);
	const paths = await cgroups.find('/', (name) => ofObject.test(name));
	const found = await Promise.all([
		...paths.filter((path) => !isOwned(owned, path)).map((path) => lost(cgroups, path)),
		...(await shimless(scene, cgroups, paths)),
		...wholes(scene).map((path) => whole(cgroups, path)),
	]);
	return found.filter((finding) => finding !== undefined);
}

const idOf = (path: string): string => path.slice(-64);

async function lost(cgroups: Cgroups, path: string): Promise<Finding | undefined> {
	const inside = await cgroups.processes(path);
	return await describe(cgroups, path, {
		kind: 'cgroup',
		name: path,
		owner: idOf(path),
		why: `no record knows its id${inside.length === 0 ? '' : `; ${processes(inside)} in it`}`,
		fix: `${inside.length === 0 ? 'removes' : 'kills the processes in it and removes'} it in every hierarchy; its parent stays`,
	});
}

/** The processes of a pod outlive its shim when that is killed; a daemon ends them, so these are found without one. */
async function shimless(
	{ config, owned }: Scene,
	cgroups: Cgroups,
	paths: readonly string[],
): Promise<Promise<Finding | undefined>[]> {
	const withShim = await sandboxesWithShim(config.instance);
	return paths
		.filter((path) => isOwned(owned, path) && !withShim.has(owned.sandboxOf.get(idOf(path)) ?? idOf(path)))
		.map(async (path) => {
			const inside = await cgroups.processes(path);
			if (inside.length === 0) return undefined;
			const finding = await describe(cgroups, path, {
				kind: 'processes',
				name: path,
				owner: idOf(path),
				why: `the shim of their pod is gone: nobody writes their logs or hears of their exit; ${processes(inside)} in it`,
				fix: 'kills the processes; the record stays, and the daemon lists the object as ended',
			});
			return (
				finding && {
					...finding,
					ofLiving: true,
					remedy: `kill -9 ${inside.join(' ')}`,
					removal: { ...finding.removal, keep: true } as Finding['removal'],
				}
			);
		});
}

function wholes({ config, daemonRuns, owned }: Scene): readonly string[] {
	const idle = !daemonRuns && owned.sandboxes.size === 0;
	return idle ? [`/${config.instance}`, `/${config.instance}-system`] : [];
}

const whole = (cgroups: Cgroups, path: string): Promise<Finding | undefined> =>
	describe(cgroups, path, {
		kind: 'cgroup',
		name: path,
		owner: '',
		why: 'no daemon runs and no sandbox lives',
		fix: 'removes it in every hierarchy, killing what still runs in it',
	});

const processes = (pids: readonly number[]): string =>
	pids.length === 1 ? `process ${pids[0]} is` : `processes ${pids.join(', ')} are`;

async function describe(
	cgroups: Cgroups,
	path: string,
	told: Pick<Finding, 'kind' | 'name' | 'owner' | 'why' | 'fix'>,
): Promise<Finding | undefined> {
	const members = await existing(cgroups.members(path));
	const [first] = members;
	if (first === undefined) return undefined;
	return {
		...told,
		sinceMs: first.sinceMs,
		remedy: `rmdir ${members.map((member) => member.path).join(' ')}`,
		removal: { how: 'cgroup', members },
	};
}

async function existing(members: readonly CgroupMember[]) {
	const found = await Promise.all(
		members.map(async ({ path, v2 }) => ({ path, v2, sinceMs: await modifiedMs(path) })),
	);
	return found.filter(({ sinceMs }) => sinceMs !== undefined);
}
