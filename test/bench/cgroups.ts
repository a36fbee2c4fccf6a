/** The cgroups of pods, which the benchmark makes and removes in the kubelet's place. */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cgroupRoots, cgroupsNamed, foldersIn } from '../support/machine.ts';

let known: readonly string[] | undefined;
/** They stay where they are. */
const roots = (): readonly string[] => {
	known ??= cgroupRoots();
	return known;
};

/** Makes a cgroup in every hierarchy, and those above it. */
export function makeCgroup(path: string): void {
	const names = path.split('/').filter((name) => name !== '');
	for (const root of roots()) names.reduce(makeBelow, root);
}

function makeBelow(parent: string, name: string): string {
	const folder = join(parent, name);
	if (existsSync(folder)) return folder;
	mkdirSync(folder);
	// v1: no process can join a group whose processors or memory nodes are none, as those of a new group are.
	if (existsSync(join(folder, 'cgroup.controllers'))) return folder;
	for (const file of ['cpuset.cpus', 'cpuset.mems'].filter((each) => existsSync(join(folder, each))))
		writeFileSync(join(folder, file), readFileSync(join(parent, file)));
	return folder;
}

/** Removes a cgroup in every hierarchy, with those below it. Throws when one is in use. */
export function removeCgroup(path: string): void {
	for (const root of roots()) if (existsSync(join(root, path))) removeTree(join(root, path));
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
