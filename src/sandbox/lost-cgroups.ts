import type { Op } from '#runtime';
import type { Daemon } from '../server/types.ts';

const KILL_TIMEOUT_MS = 10_000;

type Tools = Pick<Daemon, 'cgroups' | 'launcher' | 'config'>;

/** Cgroups of sandboxes and containers, found by their names, wherever their parents are. As OCI paths. */
export async function findCgroups(
	{ cgroups, config }: Tools,
	isWanted: (id: string) => boolean,
): Promise<readonly string[]> {
	const ofObject = new RegExp(`^${config.instance}-([0-9a-f]{64})$`);
	return await cgroups.find('/', (name) => {
		const id = ofObject.exec(name)?.[1];
		return id !== undefined && isWanted(id);
	});
}

/** Kills what is in a cgroup and removes it. */
export async function removeCgroup({ cgroups, launcher }: Tools, path: string): Promise<void> {
	const plan = cgroups.members(path).flatMap((member): readonly Op[] => [
		{ op: 'cgroup_kill', path: member.path, v2: member.v2 ? 1 : 0, timeout_ms: KILL_TIMEOUT_MS },
		{ op: 'cgroup_remove', path: member.path, timeout_ms: KILL_TIMEOUT_MS },
	]);
	await launcher.teardown(plan);
}
