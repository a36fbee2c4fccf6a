import type { OciMount, OciSpec } from '#runtime';
import { addMounts, build, type With, withLinux, withProcess } from './draft.ts';
import type { SandboxSpecInput } from './input.ts';
import { withAnnotations } from './with-annotations.ts';
import { DEV, PROC, SHM_BYTES } from './with-default-mounts.ts';
import { withoutDevices } from './with-devices.ts';
import { DEFAULT_PATH } from './with-environment.ts';
import { MASKED_PATHS, READONLY_PATHS } from './with-hidden-paths.ts';
import { withSandboxNamespaces } from './with-namespaces.ts';
import { withSecurity } from './with-security.ts';
import { withUser } from './with-user.ts';

/** The kernel's OOM killer takes the pod's containers before the process that holds its namespaces. */
const OOM_SCORE = -998;

const withPause: With<SandboxSpecInput> = (spec, { rootPath }) =>
	withProcess(
		// Always read-only, whatever the request says: the folder is shared by all sandboxes.
		{ ...spec, root: { path: rootPath, readonly: true } },
		{ args: ['/pause'], env: [DEFAULT_PATH], noNewPrivileges: true, oomScoreAdj: OOM_SCORE },
	);

const withOwnMounts: With<SandboxSpecInput> = (spec, { namespaces }) => {
	const shm: OciMount = {
		destination: '/dev/shm',
		type: 'tmpfs',
		source: 'shm',
		options: ['nosuid', 'noexec', 'nodev', 'mode=1777', `size=${SHM_BYTES}`],
	};
	return addMounts(spec, [PROC, DEV, ...(namespaces.hostIpc ? [] : [shm])]);
};

/**
 * No small share of the processors, although pause never runs: its start and its death do, and with two shares both
 * take many seconds on a node that is busy.
 */
const withPodSettings: With<SandboxSpecInput> = (spec, input) => ({
	...withLinux(withoutDevices(spec), {
		cgroupsPath: input.cgroupsPath,
		sysctl: input.sysctls,
		maskedPaths: MASKED_PATHS,
		readonlyPaths: READONLY_PATHS,
	}),
	hooks: input.hooks,
	// The UTS namespace follows the network's: with the node's network the hostname is the node's.
	...(input.namespaces.hostNetwork ? {} : { hostname: input.hostname }),
});

const withNames: With<SandboxSpecInput> = (spec, { id, config }) =>
	withAnnotations(spec, { sandboxId: id, config });

const STEPS: readonly With<SandboxSpecInput>[] = [
	withPause,
	withUser,
	withSecurity,
	withSandboxNamespaces,
	withOwnMounts,
	withPodSettings,
	withNames,
];

/** The OCI spec of a sandbox: the bundle whose process is `pause`. Pure. */
export function sandboxSpec(input: SandboxSpecInput): OciSpec {
	return build(STEPS, input);
}
