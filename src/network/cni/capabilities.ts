/** What a plugin is told at run time, by the capabilities that its configuration declares. */
import { invalidArgument } from '#base/errors.ts';
import { bandwidthOf } from '../bandwidth.ts';
import type { SandboxNetworkRequest } from '../types.ts';
import type { CniPlugin, Json } from './config.ts';

/** Bits; the greatest that the bandwidth plugin takes: only the rate limits. */
const BURST_BITS = 2 ** 31 - 1;

/**
 * Everything that we could tell, by capability. INVALID_ARGUMENT when a bandwidth annotation is no quantity.
 * There are no `ips` and no `mac`: the kubelet asks for neither.
 */
export function runtimeCapabilities(request: SandboxNetworkRequest): Json {
	const portMappings = request.portMappings
		.filter(({ hostPort }) => hostPort !== 0)
		.map(({ protocol, hostPort, containerPort, hostIp }) => ({
			protocol,
			hostPort,
			containerPort,
			...(hostIp === '' ? {} : { hostIP: hostIp }),
		}));
	const bandwidth = bandwidthFor(request.annotations);
	const { servers, searches, options } = request.dns;
	const hasDns = servers.length + searches.length + options.length > 0;
	return {
		...(portMappings.length > 0 ? { portMappings } : {}),
		...(bandwidth === undefined ? {} : { bandwidth }),
		...(hasDns ? { dns: { servers, searches, options } } : {}),
		...(request.cgroupPath === '' ? {} : { cgroupPath: request.cgroupPath }),
		'io.kubernetes.cri.pod-annotations': request.annotations,
	};
}

function bandwidthFor(annotations: Readonly<Record<string, string>>): Json | undefined {
	const { ingress, egress } = bandwidthOf(annotations);
	if (ingress === undefined && egress === undefined) return undefined;
	return {
		...(ingress === undefined ? {} : { ingressRate: ingress, ingressBurst: BURST_BITS }),
		...(egress === undefined ? {} : { egressRate: egress, egressBurst: BURST_BITS }),
	};
}

/** The part of the capabilities that this plugin declares. */
export const runtimeConfigFor = ({ capabilities }: CniPlugin, all: Json): Json =>
	Object.fromEntries(Object.entries(all).filter(([name]) => capabilities.has(name)));

/** What the pod asks for and no plugin of the chain can be told: host ports, limits of bandwidth. */
export const untold = (plugins: readonly CniPlugin[], all: Json): string[] =>
	['portMappings', 'bandwidth'].filter(
		(name) => name in all && !plugins.some(({ capabilities }) => capabilities.has(name)),
	);

/** CNI_ARGS as the plugins of Kubernetes expect them. INVALID_ARGUMENT when a value would break the list. */
export function cniArguments(
	request: Pick<SandboxNetworkRequest, 'namespace' | 'name' | 'uid' | 'sandboxId'>,
): string {
	const pairs = {
		IgnoreUnknown: '1',
		K8S_POD_NAMESPACE: request.namespace,
		K8S_POD_NAME: request.name,
		K8S_POD_INFRA_CONTAINER_ID: request.sandboxId,
		K8S_POD_UID: request.uid,
	};
	for (const [key, value] of Object.entries(pairs))
		if (/[;=\0]/.test(value))
			throw invalidArgument(
				`Cannot tell CNI plugins ${key}=${JSON.stringify(value)}: ";" and "=" separate their arguments`,
			);
	return Object.entries(pairs)
		.map(([key, value]) => `${key}=${value}`)
		.join(';');
}
