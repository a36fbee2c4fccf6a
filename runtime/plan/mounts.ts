import type { OciMount, OciSpec } from '../oci/spec.ts';
import type { Op } from '../shim/codec.ts';
import { cgroupMountOps } from './cgroup-mount.ts';
import { type PlanContext, refuse, rootPath } from './context.ts';
import { type MountOptions, parseMountOptions } from './mount-options.ts';
import { idMap } from './namespaces.ts';

/** All mounts of the spec, in its order. */
export function mountOps(spec: OciSpec, cgroupsPath: string, context: PlanContext): Op[] {
	return (spec.mounts ?? []).flatMap((mount, index) => {
		const path = `mounts[${index}]`;
		if (!mount.destination.startsWith('/'))
			throw refuse(`${path}.destination`, `${mount.destination} is not absolute`);
		const options = parseMountOptions(mount.options ?? [], `${path}.options`);
		if (isBind(mount, options)) return [bindOp(spec, mount, options, path, context)];
		if (mount.type === undefined) throw refuse(`${path}.type`, 'missing, and the options name no bind');
		if (options.recursiveReadonly) throw refuse(`${path}.options`, 'rro is for bind mounts');
		if (options.idmap || mount.uidMappings || mount.gidMappings)
			throw refuse(path, 'only a bind mount can be idmapped');
		if (mount.type === 'cgroup' || mount.type === 'cgroup2') {
			return cgroupMountOps(spec, mount.destination, options, cgroupsPath, context);
		}
		const image = context.images?.[mount.destination];
		if (mount.type === 'overlay' && image !== undefined)
			return [imageOp(spec, mount, options, image, context)];
		return [fileSystemOp(mount, mount.type, options, spec.linux?.mountLabel)];
	});
}

/** Whether the spec binds something at `destination` (a bound /dev is left as it is). */
export function bindsAt(spec: OciSpec, destination: string): boolean {
	return (spec.mounts ?? []).some(
		(mount) =>
			mount.destination === destination && isBind(mount, parseMountOptions(mount.options ?? [], 'mounts')),
	);
}

const isBind = (mount: OciMount, options: MountOptions): boolean => options.bind || mount.type === 'bind';

/** File systems whose files have no label of their own. */
const UNLABELLED = new Set(['proc', 'sysfs', 'mqueue']);

function fileSystemOp(mount: OciMount, fstype: string, options: MountOptions, mountLabel = ''): Op {
	const label = UNLABELLED.has(fstype) ? '' : mountLabel;
	return {
		op: 'mount_fs',
		fstype,
		source: mount.source ?? fstype,
		target: mount.destination,
		flags: options.set,
		data: withLabel(options.data.join(','), label),
		propagation: options.propagation,
	};
}

function imageOp(
	spec: OciSpec,
	{ destination }: OciMount,
	{ set }: MountOptions,
	{ lowers, subPath }: NonNullable<PlanContext['images']>[string],
	context: PlanContext,
): Op {
	return {
		op: 'mount_image',
		target: destination,
		lowers,
		sub_path: subPath,
		place: rootPath(spec, context.bundle),
		set,
	};
}

/** Mount options with the SELinux label that all files of the mount shall have. */
export function withLabel(options: string, label: string | undefined): string {
	if (!label) return options;
	return [options, `context="${label}"`].filter((option) => option !== '').join(',');
}

function bindOp(
	spec: OciSpec,
	mount: OciMount,
	options: MountOptions,
	path: string,
	context: PlanContext,
): Op {
	const of = context.mountsOf?.[mount.destination] ?? '';
	if (mount.source === undefined) throw refuse(`${path}.source`, 'a bind mount needs a source');
	if (options.data.length > 0)
		throw refuse(`${path}.options`, `a bind mount does not know ${options.data.join(', ')}`);
	const maps = bindMaps(spec, mount, options, path);
	return {
		op: 'mount_bind',
		source: mount.source.startsWith('/') ? mount.source : `${context.bundle}/${mount.source}`,
		target: mount.destination,
		of,
		recursive: options.recursive ? 1 : 0,
		set: options.set,
		clear: options.clear,
		recursive_readonly: options.recursiveReadonly ? 1 : 0,
		propagation: options.propagation,
		...maps,
	};
}

/** The mount's own mappings, or with the option idmap alone those of the container. */
function bindMaps(spec: OciSpec, mount: OciMount, options: MountOptions, path: string) {
	const own = mount.uidMappings !== undefined || mount.gidMappings !== undefined;
	if (own && (!mount.uidMappings?.length || !mount.gidMappings?.length)) {
		throw refuse(path, 'an idmapped mount needs uidMappings and gidMappings');
	}
	if (own) return { uid_map: idMap(mount.uidMappings), gid_map: idMap(mount.gidMappings) };
	if (!options.idmap) return { uid_map: [], gid_map: [] };
	const { uidMappings, gidMappings } = spec.linux ?? {};
	if (!uidMappings?.length || !gidMappings?.length) {
		throw refuse(`${path}.options`, 'idmap needs mappings, of the mount or of the container');
	}
	return { uid_map: idMap(uidMappings), gid_map: idMap(gidMappings) };
}
