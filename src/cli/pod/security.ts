import { resolve } from 'node:path';
import type { V1AppArmorProfile, V1Container, V1Pod, V1SeccompProfile } from '@kubernetes/client-node';
import { failedPrecondition, invalidArgument } from '#base/errors.ts';
import type {
	LinuxContainerSecurityContextInit,
	LinuxSandboxSecurityContextInit,
	NamespaceOptionInit,
	SELinuxOptionInit,
	SecurityProfileInit,
} from '#cri-api';

/** What the kubelet hides of /proc and /sys, and makes read-only, unless procMount says Unmasked. */
const MASKED = [
	'/proc/asound',
	'/proc/acpi',
	'/proc/interrupts',
	'/proc/kcore',
	'/proc/keys',
	'/proc/latency_stats',
	'/proc/timer_list',
	'/proc/timer_stats',
	'/proc/sched_debug',
	'/proc/scsi',
	'/sys/firmware',
	'/sys/devices/virtual/powercap',
];
const READONLY = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

type Context = NonNullable<V1Container['securityContext']> &
	NonNullable<NonNullable<V1Pod['spec']>['securityContext']>;

/** Localhost seccomp profiles are found beside the manifest. */
export interface SecurityPlace {
	readonly manifestFolder: string;
	readonly path: string;
}

export function namespacesOf(pod: V1Pod): NamespaceOptionInit {
	const { hostNetwork, hostPID, hostIPC, shareProcessNamespace } = pod.spec ?? {};
	return {
		network: hostNetwork ? 'NODE' : 'POD',
		pid: hostPID ? 'NODE' : shareProcessNamespace ? 'POD' : 'CONTAINER',
		ipc: hostIPC ? 'NODE' : 'POD',
	};
}

export function sandboxSecurity(pod: V1Pod, place: SecurityPlace): LinuxSandboxSecurityContextInit {
	const context = (pod.spec?.securityContext ?? {}) as Context;
	const containers = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])];
	return {
		namespace_options: namespacesOf(pod),
		privileged: containers.some((container) => container.securityContext?.privileged === true),
		seccomp: seccompOf(context.seccompProfile, place),
		selinux_options: seLinuxOf(context),
		...identity(context),
		supplemental_groups: groupsOf(context),
		supplemental_groups_policy: policyOf(context),
	};
}

export function containerSecurity(
	pod: V1Pod,
	container: V1Container,
	place: SecurityPlace,
): LinuxContainerSecurityContextInit {
	const own = container.securityContext ?? {};
	const context = { ...pod.spec?.securityContext, ...withoutUnset(own) } as Context;
	const unmasked = own.procMount === 'Unmasked' || own.privileged === true;
	return {
		namespace_options: namespacesOf(pod),
		privileged: own.privileged ?? false,
		capabilities: {
			add_capabilities: own.capabilities?.add ?? [],
			drop_capabilities: own.capabilities?.drop ?? [],
		},
		readonly_rootfs: own.readOnlyRootFilesystem ?? false,
		no_new_privs: own.allowPrivilegeEscalation === false,
		masked_paths: unmasked ? [] : MASKED,
		readonly_paths: unmasked ? [] : READONLY,
		seccomp: own.privileged ? { profile_type: 'Unconfined' } : seccompOf(context.seccompProfile, place),
		apparmor: appArmorOf(context.appArmorProfile, place),
		selinux_options: seLinuxOf(context),
		...identity(context),
		supplemental_groups: groupsOf(pod.spec?.securityContext as Context | undefined),
		supplemental_groups_policy: policyOf(pod.spec?.securityContext as Context | undefined),
	};
}

/** runAsNonRoot, checked as the kubelet does: before the container is made, against what would run. */
export function checkNonRoot(
	pod: V1Pod,
	container: V1Container,
	image: { readonly uid: number | undefined; readonly username: string },
): void {
	const context = {
		...pod.spec?.securityContext,
		...withoutUnset(container.securityContext ?? {}),
	} as Context;
	if (context.runAsNonRoot !== true) return;
	const refuse = (why: string) =>
		failedPrecondition(
			`Container ${container.name} has runAsNonRoot, but ${why}; set runAsUser to a number above 0`,
		);
	if (context.runAsUser === 0) throw refuse('runAsUser is 0');
	if (context.runAsUser !== undefined) return;
	if (image.username !== '') throw refuse(`its image names the user "${image.username}", which may be root`);
	if (image.uid === undefined || image.uid === 0) throw refuse('its image runs as root');
}

function identity(context: Context) {
	return {
		...(context.runAsUser === undefined ? {} : { run_as_user: { value: context.runAsUser } }),
		...(context.runAsGroup === undefined ? {} : { run_as_group: { value: context.runAsGroup } }),
	};
}

function groupsOf(context: Context | undefined): readonly number[] {
	const own = context?.supplementalGroups ?? [];
	return context?.fsGroup === undefined ? own : [...own, context.fsGroup];
}

function policyOf(context: Context | undefined): 'Merge' | 'Strict' {
	return context?.supplementalGroupsPolicy === 'Strict' ? 'Strict' : 'Merge';
}

/** Without a profile in the manifest the default one is used, as a kubelet with seccompDefault does. */
function seccompOf(profile: V1SeccompProfile | undefined, place: SecurityPlace): SecurityProfileInit {
	const type = profile?.type ?? 'RuntimeDefault';
	if (type === 'RuntimeDefault' || type === 'Unconfined') return { profile_type: type };
	if (type !== 'Localhost' || !profile?.localhostProfile)
		throw invalidArgument(
			`${place.path}.seccompProfile: type must be RuntimeDefault, Unconfined, or Localhost with a localhostProfile`,
		);
	return {
		profile_type: 'Localhost',
		localhost_ref: resolve(place.manifestFolder, profile.localhostProfile),
	};
}

function appArmorOf(
	profile: V1AppArmorProfile | undefined,
	place: SecurityPlace,
): SecurityProfileInit | null {
	if (profile === undefined) return null;
	const { type, localhostProfile } = profile;
	if (type === 'RuntimeDefault' || type === 'Unconfined') return { profile_type: type };
	if (type !== 'Localhost' || !localhostProfile)
		throw invalidArgument(
			`${place.path}.appArmorProfile: type must be RuntimeDefault, Unconfined, or Localhost with a localhostProfile`,
		);
	return { profile_type: 'Localhost', localhost_ref: localhostProfile };
}

function seLinuxOf(context: Context): SELinuxOptionInit | null {
	const { user = '', role = '', type = '', level = '' } = context.seLinuxOptions ?? {};
	return context.seLinuxOptions === undefined ? null : { user, role, type, level };
}

function withoutUnset<T extends object>(values: T): Partial<T> {
	return Object.fromEntries(
		Object.entries(values).filter(([, value]) => value !== undefined && value !== null),
	) as Partial<T>;
}
