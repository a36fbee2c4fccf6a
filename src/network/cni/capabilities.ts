/** What a plugin is told at run time, by the capabilities that its configuration declares. */
import { invalidArgument } from '#base/errors.ts';
import type { SandboxNetworkRequest } from '../types.ts';
import type { CniPlugin, Json } from './config.ts';
import { parseQuantity } from './quantity.ts';

const BANDWIDTH = {
	ingress: 'kubernetes.io/ingress-bandwidth',
	egress: 'kubernetes.io/egress-bandwidth',
} as const;
/** Kubernetes accepts rates from 1k to 1P bits per second. */
const LEAST_RATE = 1e3;
const GREATEST_RATE = 1e15;
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
	const bandwidth = bandwidthOf(request.annotations);
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

function bandwidthOf(annotations: Readonly<Record<string, string>>): Json | undefined {
	const ingress = rateOf(annotations, BANDWIDTH.ingress);
	const egress = rateOf(annotations, BANDWIDTH.egress);
	if (ingress === undefined && egress === undefined) return undefined;
	return {
		...(ingress === undefined ? {} : { ingressRate: ingress, ingressBurst: BURST_BITS }),
		...(egress === undefined ? {} : { egressRate: egress, egressBurst: BURST_BITS }),
	};
}

function rateOf(annotations: Readonly<Record<string, string>>, name: string): number | undefined {
	const text = annotations[name];
	if (text === undefined) return undefined;
	const rate = parseQuantity(text);
	if (rate === undefined || rate < LEAST_RATE || rate > GREATEST_RATE)
		throw invalidArgument(
			`Annotation ${name} is ${JSON.stringify(text)}: it must be a rate in bits per second from 1k to 1P, such as 10M`,
		);
	return rate;
}

/** The part of the capabilities that this plugin declares. */
export const runtimeConfigFor = ({ capabilities }: CniPlugin, all: Json): Json =>
	Object.fromEntries(Object.entries(all).filter(([name]) => capabilities.has(name)));

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
