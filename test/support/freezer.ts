/** Processes that do not run and do not die: by the v1 freezer, or cgroup.freeze of v2. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Cgroups } from '#runtime';
import { until } from './until.ts';

/** Freezes a cgroup and everything below, and waits until nothing in it runs any more. */
export async function freeze(cgroups: Cgroups, cgroupsPath: string): Promise<void> {
	if (cgroups.version === 2) {
		const [folder = ''] = cgroups.folders(cgroupsPath);
		writeFileSync(join(folder, 'cgroup.freeze'), '1');
		const events = join(folder, 'cgroup.events');
		await until('frozen', () => readFileSync(events, 'utf8').includes('frozen 1'));
		return;
	}
	const file = freezerFile(cgroups, cgroupsPath);
	writeFileSync(file, 'FROZEN');
	await until('frozen', () => readFileSync(file, 'utf8').trim() === 'FROZEN');
}

/** `freezer.state` of a cgroup (v1). */
export function freezerFile(cgroups: Cgroups, cgroupsPath: string): string {
	const folder = cgroups.folders(cgroupsPath).find((path) => path.includes('/freezer/')) ?? '';
	return join(folder, 'freezer.state');
}

/** Whether a cgroup is frozen, or about to be. */
export function frozen(cgroups: Cgroups, cgroupsPath: string): boolean {
	if (cgroups.version === 1)
		return readFileSync(freezerFile(cgroups, cgroupsPath), 'utf8').trim() !== 'THAWED';
	const [folder = ''] = cgroups.folders(cgroupsPath);
	return readFileSync(join(folder, 'cgroup.freeze'), 'utf8').trim() === '1';
}
