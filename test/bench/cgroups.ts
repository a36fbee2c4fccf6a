/** Cgroups are removed by whoever made them: here that is the benchmark, in the kubelet's place. */
import { existsSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { cgroupRoots, cgroupsNamed, foldersIn } from '../support/machine.ts';

/** Removes a cgroup in every hierarchy, with those below it. Throws when one is in use. */
export function removeCgroup(path: string): void {
	for (const root of cgroupRoots()) if (existsSync(join(root, path))) removeTree(join(root, path));
}

/** Removes all of the machine with this name. False as long as one is in use: what was killed takes a moment to end. */
export function removeCgroupsOf(name: string): boolean {
	try {
		for (const path of cgroupsNamed((cgroup) => cgroup.startsWith(name))) removeTree(path);
		return true;
	} catch {
		return false;
	}
}

function removeTree(path: string): void {
	for (const name of foldersIn(path)) removeTree(join(path, name));
	rmdirSync(path);
}
