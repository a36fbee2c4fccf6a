import { appArmorChoice } from '../container/profile-choice.ts';
import { seccompProfile } from '../container/security-profile.ts';
import { seLinuxLabels } from '../container/selinux.ts';
import { checkUserMapped, idOf } from '../container/users.ts';
import type { Daemon } from '../server/types.ts';
import type { PodNamespaces, SandboxSpecInput } from '../spec/input.ts';
import { cgroupsPathOf } from './cgroup-parent.ts';
import type { SandboxRequest } from './check-request.ts';
import { PAUSE_FILTER } from './pause-filter.ts';
import { pauseRoot } from './pause-root.ts';
import type { SandboxMetadata } from './types.ts';

/** Gathers what a sandbox's spec follows from. */
export async function sandboxSpecInput(
	{ config, containers, appArmor }: Pick<Daemon, 'config' | 'containers' | 'appArmor'>,
	{
		metadata,
		hostname,
		request,
		hooks,
	}: {
		readonly metadata: SandboxMetadata;
		readonly hostname: string;
		readonly request: SandboxRequest;
		readonly hooks: SandboxSpecInput['hooks'];
	},
): Promise<SandboxSpecInput> {
	const { security, namespaces, sysctls } = request;
	const { host } = containers;
	const privileged = security?.privileged ?? false;
	const choice = privileged ? undefined : appArmorChoice(security?.apparmor);
	return {
		id: metadata.id,
		config: metadata.config,
		rootPath: pauseRoot(config.root),
		hostname,
		namespaces,
		user: sandboxUser(security, namespaces.user),
		privileged,
		sysctls,
		seccomp: privileged
			? undefined
			: await seccompProfile(security?.seccomp, security?.seccomp_profile_path, {
					defaultPath: config.runtime.seccompProfile,
					capabilities: [],
					ownDefault: PAUSE_FILTER,
				}),
		appArmorProfile: choice && (await appArmor.profileFor(choice)),
		seLinux: seLinuxLabels(security?.selinux_options, host, privileged),
		hooks,
		cgroupsPath: cgroupsPathOf(metadata.cgroupParent, config.instance, metadata.id),
		host,
	};
}

/** `pause` needs no rights at all; it runs as root of its namespaces unless the request says otherwise. */
function sandboxUser(
	security: SandboxRequest['security'],
	maps: PodNamespaces['user'],
): SandboxSpecInput['user'] {
	const uid = idOf('run_as_user', security?.run_as_user?.value ?? '0');
	const gid = idOf('run_as_group', security?.run_as_group?.value ?? '0');
	const groups = (security?.supplemental_groups ?? []).map((group) => idOf('supplemental_groups', group));
	checkUserMapped({ uid, gid, groups }, maps);
	return { uid, gid, groups };
}
