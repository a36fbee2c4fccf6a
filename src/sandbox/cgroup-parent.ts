import { invalidArgument } from '#base/errors.ts';

/**
 * The pod's cgroup as an absolute OCI path: what the request names, or the instance's own.
 * INVALID_ARGUMENT for a systemd slice: with it limits would be set on a cgroup that nobody made.
 */
export function cgroupParent(requested: string, instance: string): string {
	if (requested === '') return `/${instance}`;
	const shown = `linux.cgroup_parent ${JSON.stringify(requested)}`;
	if (requested.endsWith('.slice')) {
		throw invalidArgument(
			`${shown} is a systemd slice, but cgroup.manager is cgroupfs; set cgroupDriver: cgroupfs in the kubelet's configuration`,
		);
	}
	if (!requested.startsWith('/')) throw invalidArgument(`${shown} is not absolute`);
	const parts = requested.split('/').filter((part) => part !== '');
	if (parts.includes('..') || parts.includes('.')) throw invalidArgument(`${shown} has "." or ".." in it`);
	// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be in a path
	if (/[\u0000-\u001f\u007f]/.test(requested))
		throw invalidArgument(`${shown} has a control character in it`);
	return parts.length === 0 ? `/${instance}` : `/${parts.join('/')}`;
}

/** The cgroup of one container, or of the sandbox itself. */
export function cgroupsPathOf(parent: string, instance: string, id: string): string {
	return `${parent}/${instance}-${id}`;
}
