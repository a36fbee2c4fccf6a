import type { OciLinux, OciNamespaceType, OciSpec } from '#runtime';
import { type With, withLinux } from './draft.ts';
import type { ContainerSpecInput, SandboxSpecInput, UserNamespaceMaps } from './input.ts';

type OciNamespace = NonNullable<OciLinux['namespaces']>[number];

/** Names below /proc/PID/ns, where they differ from the spec's. */
const PROC_NAMES: Partial<Record<OciNamespaceType, string>> = { network: 'net', mount: 'mnt' };

/**
 * A container's namespaces: its own mounts, those of the sandbox by the path of its process (the shim joins them by
 * the sandbox's id, which cannot be reused; the path makes the bundle whole for other OCI runtimes).
 */
export const withContainerNamespaces: With<ContainerSpecInput> = (spec, input) => {
	const joined = containerJoins(input).filter(({ of }) => of === input.sandbox.id);
	const paths = joined.map(
		({ type }): OciNamespace => ({ type, path: `/proc/${input.sandbox.pid}/ns/${PROC_NAMES[type] ?? type}` }),
	);
	const target = containerJoins(input).filter(({ of }) => of !== input.sandbox.id);
	return withMaps(
		withLinux(spec, {
			namespaces: [
				{ type: 'mount' },
				...(input.pid.mode === 'own' ? [{ type: 'pid' } as const] : []),
				...(ownCgroups(input) ? [{ type: 'cgroup' } as const] : []),
				...paths,
				...target.map(({ type }): OciNamespace => ({ type })),
			],
		}),
		input.sandbox.namespaces.user,
	);
};

/** Which namespaces are taken from which container of the same shim. */
export function containerJoins(
	input: Pick<ContainerSpecInput, 'sandbox' | 'pid'>,
): readonly { readonly type: OciNamespaceType; readonly of: string }[] {
	const { id, namespaces } = input.sandbox;
	const of = (type: OciNamespaceType) => ({ type, of: id });
	return [
		...(namespaces.hostNetwork ? [] : [of('network'), of('uts')]),
		...(namespaces.hostIpc ? [] : [of('ipc')]),
		...(namespaces.user === undefined ? [] : [of('user')]),
		...(input.pid.mode === 'join' ? [{ type: 'pid', of: input.pid.of } as const] : []),
	];
}

/** A sandbox's namespaces: what its containers will share, and mounts of its own. */
export const withSandboxNamespaces: With<SandboxSpecInput> = (spec, { namespaces }) => {
	const { hostNetwork, hostIpc, hostPid, user } = namespaces;
	const types: readonly OciNamespaceType[] = [
		'mount',
		...(hostPid ? [] : (['pid'] as const)),
		...(hostNetwork ? [] : (['network', 'uts'] as const)),
		...(hostIpc ? [] : (['ipc'] as const)),
		...(user === undefined ? [] : (['user'] as const)),
	];
	return withMaps(withLinux(spec, { namespaces: types.map((type) => ({ type })) }), user);
};

function withMaps(spec: OciSpec, user: UserNamespaceMaps | undefined): OciSpec {
	return user === undefined ? spec : withLinux(spec, { uidMappings: user.uids, gidMappings: user.gids });
}

/** On v1 tools look their cgroup up by its full path; on v2 every runtime hides it, except from privileged. */
const ownCgroups = ({ host, privileged }: ContainerSpecInput): boolean =>
	host.cgroupVersion === 2 && !privileged;
