import type { OciMount } from '#runtime';
import { addMounts, type With } from './draft.ts';
import type { ContainerSpecInput } from './input.ts';

/** Size of a pod's /dev/shm, as of every other runtime: 64 MiB. */
export const SHM_BYTES = 64 * 1024 * 1024;

export const PROC: OciMount = {
	destination: '/proc',
	type: 'proc',
	source: 'proc',
	options: ['nosuid', 'noexec', 'nodev'],
};
export const DEV: OciMount = {
	destination: '/dev',
	type: 'tmpfs',
	source: 'tmpfs',
	options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
};
export const MQUEUE: OciMount = {
	destination: '/dev/mqueue',
	type: 'mqueue',
	source: 'mqueue',
	options: ['nosuid', 'noexec', 'nodev'],
};
const DEVPTS: OciMount = {
	destination: '/dev/pts',
	type: 'devpts',
	source: 'devpts',
	options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
};

/** The mounts every container has, unless the request puts something else in their place (OCI config-linux). */
export const withDefaultMounts: With<ContainerSpecInput> = (spec, input) => {
	const access = input.privileged ? 'rw' : 'ro';
	const defaults: readonly OciMount[] = [
		PROC,
		DEV,
		DEVPTS,
		MQUEUE,
		shm(),
		sys(input, access),
		{
			destination: '/sys/fs/cgroup',
			type: 'cgroup',
			source: 'cgroup',
			options: ['nosuid', 'noexec', 'nodev', 'relatime', access],
		},
	];
	return addMounts(
		spec,
		defaults.filter((mount) => !isReplaced(mount.destination, input)),
	);
};

/** Bound from the sandbox's own mount namespace, or the node's when the pod shares the node's IPC. */
function shm(): OciMount {
	return {
		destination: '/dev/shm',
		type: 'bind',
		source: '/dev/shm',
		options: ['rbind', 'nosuid', 'noexec', 'nodev', 'rw'],
	};
}

/**
 * A user namespace that does not own the network namespace may not mount a sysfs of its own. The node's is bound
 * without what is mounted in it, which would not be read-only.
 */
function sys({ sandbox }: ContainerSpecInput, access: string): OciMount {
	const options = ['nosuid', 'noexec', 'nodev', access];
	if (sandbox.namespaces.user !== undefined && sandbox.namespaces.hostNetwork) {
		return { destination: '/sys', type: 'bind', source: '/sys', options: ['bind', ...options] };
	}
	return { destination: '/sys', type: 'sysfs', source: 'sysfs', options };
}

/** A mount of the request at the same place, or at /dev as a whole, takes the place of the default. */
export function isReplaced(
	destination: string,
	{ mounts, images, edits }: Pick<ContainerSpecInput, 'mounts' | 'images' | 'edits'>,
): boolean {
	return [...mounts, ...images, ...edits.mounts].some(
		(mount) =>
			mount.destination === destination || (mount.destination === '/dev' && destination.startsWith('/dev/')),
	);
}
