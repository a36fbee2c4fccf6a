import { devicesOps } from '../cgroup/devices.ts';
import { type CgroupLayout, cgroupMembers } from '../cgroup/layout.ts';
import { limitWrites } from '../cgroup/limits.ts';
import type { OciSpec } from '../oci/spec.ts';
import type { Op } from '../shim/codec.ts';
import { CONSTANTS } from '../shim/schema.ts';

/** Makes the container's cgroup in every hierarchy and writes its limits, before any process is in it. */
export function cgroupOps(spec: OciSpec, cgroupsPath: string, layout: CgroupLayout): Op[] {
	const resources = spec.linux?.resources ?? {};
	const writes = limitWrites(layout, cgroupsPath, resources).map(
		({ path, value, optional }): Op => ({
			op: 'write_file',
			path,
			value,
			flags: optional ? CONSTANTS.WRITE_IGNORE_MISSING : 0,
		}),
	);
	const make = layout.version === 2 ? makeV2(cgroupsPath, layout) : makeV1(cgroupsPath, layout);
	return [...make, ...writes, ...devicesOps(layout, cgroupsPath, resources.devices)];
}

function makeV1(cgroupsPath: string, layout: CgroupLayout): Op[] {
	return cgroupMembers(layout, cgroupsPath).map(({ path }) => ({ op: 'cgroup_make', path }));
}

/** v2: every ancestor must hand its controllers down before the next folder has their files. */
function makeV2(cgroupsPath: string, layout: CgroupLayout): Op[] {
	const parts = cgroupsPath.split('/').filter((part) => part !== '');
	const ancestors = parts.map((_, depth) => [layout.mountRoot, ...parts.slice(0, depth)].join('/'));
	const value = [...layout.controllers].map((controller) => `+${controller}`).join(' ');
	const hand: Op[] = ancestors.flatMap((path): Op[] => [
		...(path === layout.mountRoot ? [] : [{ op: 'cgroup_make', path } as const]),
		...(value === ''
			? []
			: [{ op: 'write_file', path: `${path}/cgroup.subtree_control`, value, flags: 0 } as const]),
	]);
	return [...hand, { op: 'cgroup_make', path: [layout.mountRoot, ...parts].join('/') }];
}
