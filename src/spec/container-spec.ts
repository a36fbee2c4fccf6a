import type { CreateOptions, OciSpec } from '#runtime';
import { build, type With } from './draft.ts';
import type { ContainerSpecInput } from './input.ts';
import { withAnnotations } from './with-annotations.ts';
import { withCapabilities } from './with-capabilities.ts';
import { withCommand } from './with-command.ts';
import { isReplaced, withDefaultMounts } from './with-default-mounts.ts';
import { withDevices } from './with-devices.ts';
import { withEnvironment } from './with-environment.ts';
import { withHiddenPaths } from './with-hidden-paths.ts';
import { withMounts } from './with-mounts.ts';
import { containerJoins, withContainerNamespaces } from './with-namespaces.ts';
import { withPodFiles } from './with-pod-files.ts';
import { withResources } from './with-resources.ts';
import { withRlimits } from './with-rlimits.ts';
import { withSecurity } from './with-security.ts';
import { withUser } from './with-user.ts';

const withRoot: With<ContainerSpecInput> = (spec, { security }) => ({
	...spec,
	root: { path: 'rootfs', ...(security?.readonly_rootfs ? { readonly: true } : {}) },
});

const withHooks: With<ContainerSpecInput> = (spec, { edits }) =>
	Object.keys(edits.hooks).length > 0 ? { ...spec, hooks: edits.hooks } : spec;

const withNames: With<ContainerSpecInput> = (spec, { sandbox, config }) =>
	withAnnotations(spec, {
		sandboxId: sandbox.id,
		config: sandbox.config,
		container: {
			name: config.metadata?.name ?? '',
			image: config.image?.user_specified_image || (config.image?.image ?? ''),
		},
	});

const STEPS: readonly With<ContainerSpecInput>[] = [
	withRoot,
	withCommand,
	withEnvironment,
	withUser,
	withCapabilities,
	withSecurity,
	withRlimits,
	withContainerNamespaces,
	withDefaultMounts,
	withPodFiles,
	withDevices,
	withMounts,
	withHiddenPaths,
	withResources,
	withHooks,
	withNames,
];

/** The OCI spec of a container. Pure; INVALID_ARGUMENT for what the request contradicts itself in. */
export function containerSpec(input: ContainerSpecInput): OciSpec {
	return build(STEPS, input);
}

/** What the container takes from the sandbox: namespaces, and the tmpfs at /dev/shm. */
export function takenFromSandbox(input: ContainerSpecInput): Pick<CreateOptions, 'joins' | 'mountsOf'> {
	const shm = input.sandbox.namespaces.hostIpc || isReplaced('/dev/shm', input);
	return { joins: containerJoins(input), mountsOf: shm ? {} : { '/dev/shm': input.sandbox.id } };
}
