import { basename, join } from 'node:path';
import { unimplemented } from '#base/errors.ts';
import type { OciResources } from '../oci/spec.ts';
import type { CallOptions, CgroupStats, Cgroups, CgroupUsage } from '../types.ts';
import { detectCgroups } from './detect.ts';
import { devicesOps } from './devices.ts';
import { readKeyed } from './files.ts';
import { freeze, freezerFolder, thaw } from './freezer.ts';
import {
	type CgroupLayout,
	cgroupFolder,
	cgroupMembers,
	controllerFolder,
	normalizeCgroupsPath,
} from './layout.ts';
import { limitWrites } from './limits.ts';
import { statsV1, usageV1 } from './stats-v1.ts';
import { statsV2, usageV2 } from './stats-v2.ts';
import { childCgroups, processesBelow } from './tree.ts';
import { writeLimits } from './update.ts';

export interface CgroupsOptions {
	/** Default /sys/fs/cgroup. */
	readonly mountRoot?: string;
	readonly driver?: 'cgroupfs';
}

/** Finds out how cgroups are mounted and answers for them. FAILED_PRECONDITION when there are none. */
export async function openCgroups(options: CgroupsOptions = {}): Promise<Cgroups> {
	const driver: string = options.driver ?? 'cgroupfs';
	if (driver !== 'cgroupfs')
		throw unimplemented(`The cgroup driver ${driver} is not supported; use cgroupfs`);
	return new CgroupTree(await detectCgroups(options.mountRoot ?? '/sys/fs/cgroup'));
}

class CgroupTree implements Cgroups {
	readonly layout: CgroupLayout;
	readonly driver = 'cgroupfs';

	constructor(layout: CgroupLayout) {
		this.layout = layout;
	}

	get version(): 1 | 2 {
		return this.layout.version;
	}

	get controllers(): ReadonlySet<string> {
		return this.layout.controllers;
	}

	check(resources: OciResources): void {
		limitWrites(this.layout, '/check', resources);
		devicesOps(this.layout, '/check', resources.devices);
	}

	async update(cgroupsPath: string, resources: OciResources): Promise<void> {
		if (resources.devices !== undefined) {
			throw unimplemented(
				'Cannot update the devices of a running container: create it anew with the devices it needs',
			);
		}
		await writeLimits(limitWrites(this.layout, normalizeCgroupsPath(cgroupsPath), resources));
	}

	usage(cgroupsPath: string): CgroupUsage {
		const path = normalizeCgroupsPath(cgroupsPath);
		return this.version === 2 ? usageV2(join(this.layout.mountRoot, path)) : usageV1(this.layout, path);
	}

	stats(cgroupsPath: string): CgroupStats {
		const path = normalizeCgroupsPath(cgroupsPath);
		return this.version === 2 ? statsV2(join(this.layout.mountRoot, path)) : statsV1(this.layout, path);
	}

	async oomKills(cgroupsPath: string): Promise<number> {
		const folder = controllerFolder(this.layout, 'memory', normalizeCgroupsPath(cgroupsPath));
		if (folder === undefined) return 0;
		const events = readKeyed(`${folder}/${this.version === 2 ? 'memory.events' : 'memory.oom_control'}`);
		return Number(events('oom_kill') ?? 0n);
	}

	async freeze(cgroupsPath: string, { signal }: CallOptions = {}): Promise<void> {
		await freeze(this.layout, normalizeCgroupsPath(cgroupsPath), signal);
	}

	thaw(cgroupsPath: string): void {
		thaw(this.layout, normalizeCgroupsPath(cgroupsPath));
	}

	freezerFolder(cgroupsPath: string): string {
		return freezerFolder(this.layout, normalizeCgroupsPath(cgroupsPath));
	}

	async processes(cgroupsPath: string): Promise<readonly number[]> {
		const path = normalizeCgroupsPath(cgroupsPath);
		const [first] = this.layout.hierarchies.filter(({ named }) => !named);
		return first === undefined ? [] : await processesBelow(cgroupFolder(first, path));
	}

	folders(cgroupsPath: string): readonly string[] {
		return this.members(cgroupsPath).map(({ path }) => path);
	}

	members(cgroupsPath: string): readonly { readonly path: string; readonly v2: boolean }[] {
		const path = normalizeCgroupsPath(cgroupsPath);
		return cgroupMembers(this.layout, path).map((member) => ({ path: member.path, v2: member.v2 === 1 }));
	}

	async find(parent: string, matches: (name: string) => boolean): Promise<readonly string[]> {
		const names = new Set<string>();
		for (const { folder } of this.layout.hierarchies)
			for (const name of await childCgroups(join(folder, parent)))
				if (matches(basename(name))) names.add(name);
		return [...names].map((name) => join('/', parent, name)).toSorted();
	}
}
