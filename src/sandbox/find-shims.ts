import { identify, type ProcessIdentity, readNativeProcess } from '#runtime';
import type { Daemon } from '../server/types.ts';
import { systemCgroup } from '../startup/system-cgroup.ts';

/** Shims of this instance, found by their command lines in the cgroup that all of them are in. */
export async function findShims(
	{ cgroups, config }: Pick<Daemon, 'cgroups' | 'config'>,
	isWanted: (sandboxId: string) => boolean,
): Promise<readonly ProcessIdentity[]> {
	const pids = await cgroups.processes(systemCgroup(config));
	const found = await Promise.all(
		pids.map(async (pid) => {
			const process = await readNativeProcess(pid);
			const isOurs = process?.command === 'shim' && process.instance === config.instance;
			return isOurs && isWanted(process.sandboxId) ? await identify(pid) : undefined;
		}),
	);
	return found.filter((identity) => identity !== undefined);
}
