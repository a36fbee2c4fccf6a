import { readFile } from 'node:fs/promises';
import { release } from 'node:os';

/** What containers can have on this machine, for the handlers' features in Status. */
export interface RuntimeFeatures {
	/** `rro`: read-only for every mount below too (mount_setattr, Linux 5.12). */
	readonly recursiveReadOnlyMounts: boolean;
	/** User namespaces, switched on, with an overlay of idmapped layers (Linux 5.19). */
	readonly userNamespaces: boolean;
	/** Idmapped bind mounts (mount_setattr, Linux 5.12). */
	readonly idmappedMounts: boolean;
	readonly kernel: string;
}

export async function runtimeFeatures(kernel: string = release()): Promise<RuntimeFeatures> {
	const maximum = await readFile('/proc/sys/user/max_user_namespaces', 'utf8').catch(() => '0');
	return {
		recursiveReadOnlyMounts: isAtLeast(kernel, 5, 12),
		userNamespaces: isAtLeast(kernel, 5, 19) && Number(maximum) > 0,
		idmappedMounts: isAtLeast(kernel, 5, 12),
		kernel,
	};
}

/** Whether a kernel release (`6.1.0-13-amd64`) is this version or newer. */
export function isAtLeast(kernel: string, major: number, minor: number): boolean {
	const [ownMajor = 0, ownMinor = 0] = kernel.split(/[.-]/).map(Number);
	return ownMajor > major || (ownMajor === major && ownMinor >= minor);
}
