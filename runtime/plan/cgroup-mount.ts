import { cgroupFolder, type Hierarchy } from '../cgroup/layout.ts';
import type { OciSpec } from '../oci/spec.ts';
import type { Op } from '../shim/codec.ts';
import { hasNamespace, type PlanContext } from './context.ts';
import { MS } from './flags.ts';
import type { MountOptions } from './mount-options.ts';

/**
 * A mount of type cgroup. v2: the one hierarchy. v1: a tmpfs with a folder for every hierarchy. Without a cgroup
 * namespace a fresh mount would show the whole machine's tree, so v1 shows the container's own cgroups by bind.
 */
export function cgroupMountOps(
	spec: OciSpec,
	target: string,
	options: MountOptions,
	cgroupsPath: string,
	context: PlanContext,
): Op[] {
	const own = hasNamespace(spec, 'cgroup');
	const { cgroups } = context;
	if (cgroups.version === 2)
		return [own ? freshV2(target, options) : bind(cgroups.mountRoot, target, options, true)];
	const readonly = (options.set & MS.RDONLY) !== 0n;
	const parts = cgroups.hierarchies
		.filter((hierarchy) => !hierarchy.v2)
		.flatMap((hierarchy) => hierarchyOps(hierarchy, target, options, own, cgroupsPath));
	return [
		{
			op: 'mount_fs',
			fstype: 'tmpfs',
			source: 'tmpfs',
			target,
			flags: options.set & ~MS.RDONLY,
			data: 'mode=755',
			propagation: options.propagation,
		},
		...parts,
		...(readonly ? [{ op: 'readonly_path', path: target } as const] : []),
	];
}

function freshV2(target: string, options: MountOptions): Op {
	return {
		op: 'mount_fs',
		fstype: 'cgroup2',
		source: 'cgroup',
		target,
		flags: options.set,
		data: options.data.join(','),
		propagation: options.propagation,
	};
}

function hierarchyOps(
	hierarchy: Hierarchy,
	target: string,
	options: MountOptions,
	own: boolean,
	cgroupsPath: string,
): Op[] {
	const inside = `${target}/${hierarchy.name}`;
	const links = hierarchy.controllers
		.filter((controller) => controller !== hierarchy.name && !hierarchy.named)
		.map(
			(controller): Op => ({ op: 'make_symlink', path: `${target}/${controller}`, content: hierarchy.name }),
		);
	if (!own) return [bind(cgroupFolder(hierarchy, cgroupsPath), inside, options, false), ...links];
	const data = hierarchy.named ? `none,name=${hierarchy.name}` : hierarchy.controllers.join(',');
	return [
		{
			op: 'mount_fs',
			fstype: 'cgroup',
			source: 'cgroup',
			target: inside,
			flags: options.set,
			data,
			propagation: options.propagation,
		},
		...links,
	];
}

function bind(source: string, target: string, options: MountOptions, recursive: boolean): Op {
	return {
		op: 'mount_bind',
		source,
		target,
		of: '',
		recursive: recursive ? 1 : 0,
		set: options.set,
		clear: 0n,
		recursive_readonly: recursive && (options.set & MS.RDONLY) !== 0n ? 1 : 0,
		propagation: options.propagation,
		uid_map: [],
		gid_map: [],
	};
}
