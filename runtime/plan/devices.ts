import type { OciDevice, OciSpec } from '../oci/spec.ts';
import type { Op } from '../shim/codec.ts';
import { refuse } from './context.ts';
import { makeDevice, S_IF } from './flags.ts';
import { bindsAt } from './mounts.ts';

/** OCI config-linux, "Default Devices" (console and ptmx apart). */
export const DEFAULT_DEVICES: readonly OciDevice[] = [
	{ type: 'c', path: '/dev/null', major: 1, minor: 3 },
	{ type: 'c', path: '/dev/zero', major: 1, minor: 5 },
	{ type: 'c', path: '/dev/full', major: 1, minor: 7 },
	{ type: 'c', path: '/dev/random', major: 1, minor: 8 },
	{ type: 'c', path: '/dev/urandom', major: 1, minor: 9 },
	{ type: 'c', path: '/dev/tty', major: 5, minor: 0 },
];

/** OCI runtime-linux, "Dev symbolic links", and ptmx of the container's own devpts. */
const LINKS: readonly (readonly [path: string, content: string])[] = [
	['/dev/ptmx', 'pts/ptmx'],
	['/dev/fd', '/proc/self/fd'],
	['/dev/stdin', '/proc/self/fd/0'],
	['/dev/stdout', '/proc/self/fd/1'],
	['/dev/stderr', '/proc/self/fd/2'],
	['/dev/core', '/proc/kcore'],
];

/** Device nodes and default links. A /dev that is bound from elsewhere is left alone. */
export function deviceOps(spec: OciSpec): Op[] {
	const own = spec.linux?.devices ?? [];
	const bound = bindsAt(spec, '/dev');
	const defaults = bound
		? []
		: DEFAULT_DEVICES.filter(({ path }) => !own.some((device) => device.path === path));
	return [
		...defaults.map((device) => deviceOp(device, '')),
		...own.map((device, index) => deviceOp(device, `linux.devices[${index}]`)),
		...(bound ? [] : LINKS.map(([path, content]): Op => ({ op: 'make_symlink', path, content }))),
	];
}

/** In a user namespace mknod is refused; the operation then binds the host's node of this path, if it is this device. */
function deviceOp(device: OciDevice, where: string): Op {
	const { type, path, major, minor } = device;
	if (!path.startsWith('/')) throw refuse(`${where}.path`, `${path} is not absolute`);
	if (type !== 'p' && (major === undefined || minor === undefined)) {
		throw refuse(where, `${path}: a device of type ${type} needs major and minor`);
	}
	return {
		op: 'make_device',
		path,
		mode: S_IF[type] | ((device.fileMode ?? 0o666) & 0o7777),
		device: type === 'p' ? 0n : makeDevice(major ?? 0, minor ?? 0),
		uid: device.uid ?? 0,
		gid: device.gid ?? 0,
	};
}
