import { isAbsolute } from 'node:path';
import { failedPrecondition, invalidArgument } from '#base/errors.ts';
import type {
	DNSConfig,
	LinuxSandboxSecurityContext,
	PodSandboxConfig,
	RunPodSandboxRequest,
} from '#cri-api';
import type { Config } from '../config/types.ts';
import { checkGroupHasUser } from '../container/users.ts';
import { resolvConf } from '../network/files.ts';
import type { PortMapping } from '../network/types.ts';
import type { HostFacts } from '../spec/host-facts.ts';
import type { PodNamespaces } from '../spec/input.ts';
import { ociResources } from '../spec/with-resources.ts';
import { cgroupParent } from './cgroup-parent.ts';
import { checkClasses } from './classes.ts';
import { checkSandboxMetadata } from './metadata.ts';
import { podNamespaces } from './namespaces.ts';
import { portMappings } from './ports.ts';
import { defaultSysctls, podSysctls } from './sysctls.ts';

/** The runtime handlers that a request may name. The empty one is the default. */
export const RUNTIME_HANDLERS: readonly string[] = ['', 'gantry'];

/** A request that has been checked, with everything decided that does not depend on the sandbox's id. */
export interface SandboxRequest {
	readonly config: PodSandboxConfig;
	readonly metadata: NonNullable<PodSandboxConfig['metadata']>;
	readonly runtimeHandler: string;
	readonly security: LinuxSandboxSecurityContext | undefined;
	readonly namespaces: PodNamespaces;
	readonly cgroupParent: string;
	readonly sysctls: Readonly<Record<string, string>>;
	readonly portMappings: readonly PortMapping[];
	readonly dns: DNSConfig;
}

/** INVALID_ARGUMENT naming the field for everything that cannot be honoured. */
export function checkSandboxRequest(
	request: RunPodSandboxRequest,
	config: Config,
	host: HostFacts,
): SandboxRequest {
	const pod = request.config;
	if (pod === null) throw invalidArgument('config is missing');
	const metadata = checkSandboxMetadata(pod.metadata);
	if (pod.windows !== null) throw invalidArgument('config.windows is set, but this node runs Linux');
	checkRuntimeHandler('runtime_handler', request.runtime_handler);
	const namespaces = podNamespaces(pod.linux?.security_context?.namespace_options);
	checkHostname(pod.hostname);
	checkUserNamespace(namespaces, host);
	const ports = portMappings(pod.port_mappings);
	resolvConf(pod.dns_config ?? undefined, '');
	checkGroupHasUser(pod.linux?.security_context ?? undefined);
	checkLogDirectory(pod.log_directory);
	checkPodResources(pod, host);
	checkClasses('config.annotations', pod.annotations);
	return {
		config: pod,
		metadata,
		runtimeHandler: request.runtime_handler,
		security: pod.linux?.security_context ?? undefined,
		namespaces,
		cgroupParent: cgroupParent(pod.linux?.cgroup_parent ?? '', config.instance),
		sysctls: podSysctls(pod.linux?.sysctls ?? {}, defaultSysctls(config.runtime, namespaces), namespaces),
		// With the node's network there is nothing to map: the kubelet lists the ports that the pod will listen on.
		portMappings: namespaces.hostNetwork ? [] : ports,
		dns: pod.dns_config ?? { servers: [], searches: [], options: [] },
	};
}

function checkLogDirectory(folder: string): void {
	if (folder === '') return;
	const shown = `config.log_directory ${JSON.stringify(folder)}`;
	if (!isAbsolute(folder)) throw invalidArgument(`${shown} is not absolute`);
	if (folder.includes('\0')) throw invalidArgument(`${shown} has a NUL character in it`);
}

/** The pod's cgroup and its limits are the caller's; these numbers are for hooks (with-annotations.ts), yet checked. */
function checkPodResources({ linux }: PodSandboxConfig, host: HostFacts): void {
	for (const resources of [linux?.overhead, linux?.resources]) if (resources) ociResources(resources, host);
}

function checkUserNamespace({ user }: PodNamespaces, host: HostFacts): void {
	if (user === undefined || host.userNamespaces) return;
	throw failedPrecondition(
		'The pod asks for a user namespace, but this kernel cannot idmap image layers; Linux 5.19 or newer can',
	);
}

export function checkRuntimeHandler(field: string, handler: string): void {
	if (RUNTIME_HANDLERS.includes(handler)) return;
	const known = RUNTIME_HANDLERS.filter((name) => name !== '').join(', ');
	throw invalidArgument(
		`Unknown ${field} ${JSON.stringify(handler)}: this node has ${known} (also the default, when it is empty)`,
	);
}

function checkHostname(hostname: string): void {
	if (Buffer.byteLength(hostname) > 64) {
		throw invalidArgument(
			`config.hostname ${JSON.stringify(hostname)} is longer than 64 bytes, the most that Linux takes`,
		);
	}
	if (hostname !== '' && !/^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/.test(hostname)) {
		throw invalidArgument(`config.hostname ${JSON.stringify(hostname)} is no host name`);
	}
}
