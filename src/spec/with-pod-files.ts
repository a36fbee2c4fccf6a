import { join } from 'node:path';
import type { OciMount } from '#runtime';
import { addMounts, type With } from './draft.ts';
import type { ContainerSpecInput } from './input.ts';
import { isReplaced } from './with-default-mounts.ts';

/** Name of each file in the sandbox's folder of files and where containers see it. */
export const POD_FILES = { resolvConf: 'resolv.conf', hosts: 'hosts', hostname: 'hostname' } as const;

/** /etc/resolv.conf, /etc/hosts and /etc/hostname of the pod. Read-only with a read-only root. */
export const withPodFiles: With<ContainerSpecInput> = (spec, input) => {
	const access = input.security?.readonly_rootfs ? 'ro' : 'rw';
	const mounts = Object.values(POD_FILES).map(
		(name): OciMount => ({
			destination: `/etc/${name}`,
			type: 'bind',
			source: join(input.sandbox.filesFolder, name),
			options: ['rbind', 'rprivate', access],
		}),
	);
	return addMounts(
		spec,
		mounts.filter((mount) => !isReplaced(mount.destination, input)),
	);
};
