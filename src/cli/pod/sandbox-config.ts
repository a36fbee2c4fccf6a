import type { V1Container, V1Pod } from '@kubernetes/client-node';
import { invalidArgument } from '#base/errors.ts';
import type { DNSConfigInit, PodSandboxConfigInit, PortMappingInit, Protocol } from '#cri-api';
import { LABELS } from './labels.ts';
import { type SecurityPlace, sandboxSecurity } from './security.ts';

export interface SandboxInputs {
	readonly uid: string;
	readonly logFolder: string;
	readonly dns: DNSConfigInit | null;
	readonly manifestFolder: string;
}

/** The RunPodSandbox request that a kubelet would send for this Pod. */
export function sandboxConfig(
	pod: V1Pod,
	{ uid, logFolder, dns, manifestFolder }: SandboxInputs,
): PodSandboxConfigInit {
	const { name = '', namespace = 'default', labels = {}, annotations = {} } = pod.metadata ?? {};
	const place: SecurityPlace = { manifestFolder, path: 'spec.securityContext' };
	return {
		metadata: { name, namespace, uid, attempt: 0 },
		hostname: pod.spec?.hostNetwork ? '' : hostnameOf(pod),
		log_directory: logFolder,
		dns_config: dns,
		port_mappings: portMappings(pod),
		labels: { ...labels, [LABELS.podName]: name, [LABELS.podNamespace]: namespace, [LABELS.podUid]: uid },
		annotations,
		linux: {
			security_context: sandboxSecurity(pod, place),
			sysctls: Object.fromEntries(
				(pod.spec?.securityContext?.sysctls ?? []).map((sysctl) => [sysctl.name, sysctl.value]),
			),
		},
	};
}

/** spec.hostname, or the pod's name cut to what a host name may be. */
export function hostnameOf(pod: V1Pod): string {
	return pod.spec?.hostname ?? (pod.metadata?.name ?? '').slice(0, 63).replace(/[-.]+$/, '');
}

const PROTOCOLS: readonly string[] = ['TCP', 'UDP', 'SCTP'];

/** Of all containers. On the node's own network nothing is mapped: a host port must be the container's. */
function portMappings(pod: V1Pod): readonly PortMappingInit[] {
	const lists = [
		['containers', pod.spec?.containers ?? []],
		['initContainers', pod.spec?.initContainers ?? []],
	] as const;
	const mappings = lists.flatMap(([list, containers]) =>
		containers.flatMap((container, index) => portsOf(container, `spec.${list}[${index}]`)),
	);
	if (!pod.spec?.hostNetwork) return mappings;
	const moved = mappings.find(
		(mapping) => (mapping.host_port ?? 0) !== 0 && mapping.host_port !== mapping.container_port,
	);
	if (moved !== undefined)
		throw invalidArgument(
			`hostPort ${moved.host_port} differs from containerPort ${moved.container_port}, which spec.hostNetwork does not allow`,
		);
	return [];
}

function portsOf(container: V1Container, path: string): readonly PortMappingInit[] {
	return (container.ports ?? []).map((port, index) => {
		const at = `${path}.ports[${index}]`;
		const protocol = port.protocol ?? 'TCP';
		if (!PROTOCOLS.includes(protocol))
			throw invalidArgument(`${at}.protocol: ${protocol} is none of ${PROTOCOLS.join(', ')}`);
		return {
			protocol: protocol as Protocol,
			container_port: portNumber(port.containerPort, 1, `${at}.containerPort`),
			host_port: portNumber(port.hostPort ?? 0, 0, `${at}.hostPort`),
			host_ip: port.hostIP ?? '',
		};
	});
}

function portNumber(value: number, least: number, path: string): number {
	if (!Number.isInteger(value) || value < least || value > 65535)
		throw invalidArgument(`${path}: ${value} is no port`);
	return value;
}
