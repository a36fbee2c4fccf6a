import { stat } from 'node:fs/promises';
import { type Cgroups, openCgroups } from '#runtime';
import type { Finding } from './finding.ts';
import { isOwned, type Scene } from './scene.ts';

/** Cgroups named `<instance>-<id>` without a record, wherever their parent is; and those of the instance itself when nothing of it lives. */
export async function findCgroups(scene: Scene): Promise<readonly Finding[]> {
	const { config, daemonRuns, owned } = scene;
	const cgroups = await openCgroups();
	const ofObject = new RegExp(`^${config.instance}-[0-9a-f]{64}$`);
	const lost = (await cgroups.find('/', (name) => ofObject.test(name))).filter(
		(path) => !isOwned(owned, path),
	);
	const findings = await Promise.all(
		lost.map((path) => describe(cgroups, path, idOf(path), 'no record knows its id')),
	);
	const idle = !daemonRuns && owned.sandboxes.size === 0;
	const wholes = idle ? [`/${config.instance}`, `/${config.instance}-system`] : [];
	const left = await Promise.all(
		wholes.map((path) => describe(cgroups, path, '', 'no daemon runs and no sandbox lives')),
	);
	return [...findings, ...left].filter((finding) => finding !== undefined);
}

async function describe(
	cgroups: Cgroups,
	path: string,
	owner: string,
	why: string,
): Promise<Finding | undefined> {
	const members = await existing(cgroups.members(path));
	const [first] = members;
	if (first === undefined) return undefined;
	const processes = await cgroups.processes(path);
	const inside = processes.length === 0 ? '' : `; processes ${processes.join(', ')} are in it`;
	return {
		kind: 'cgroup',
		name: path,
		why: `${why}${inside}`,
		owner,
		sinceMs: (await stat(first.path)).mtimeMs,
		remedy: `rmdir ${members.map((member) => member.path).join(' ')}`,
		removal: { how: 'cgroup', members },
	};
}

async function existing<T extends { readonly path: string }>(members: readonly T[]): Promise<readonly T[]> {
	const there = await Promise.all(
		members.map(({ path }) =>
			stat(path).then(
				() => true,
				() => false,
			),
		),
	);
	return members.filter((_, index) => there[index]);
}

function idOf(path: string): string {
	return path.slice(-64);
}
