import type { LinuxContainerResources, PodSandboxConfig } from '#cri-api';
import type { OciSpec } from '#runtime';

interface Names {
	readonly sandboxId: string;
	readonly config: PodSandboxConfig;
	/** Set for a container, absent for the sandbox itself. */
	readonly container?: { readonly name: string; readonly image: string };
}

/** The annotations by which OCI hooks of others (GPU, tracing) recognise what they are called for. */
export function withAnnotations(spec: OciSpec, { sandboxId, config, container }: Names): OciSpec {
	return {
		...spec,
		annotations: {
			'io.kubernetes.cri.container-type': container === undefined ? 'sandbox' : 'container',
			'io.kubernetes.cri.sandbox-id': sandboxId,
			'io.kubernetes.cri.sandbox-name': config.metadata?.name ?? '',
			'io.kubernetes.cri.sandbox-namespace': config.metadata?.namespace ?? '',
			'io.kubernetes.cri.sandbox-uid': config.metadata?.uid ?? '',
			...(container === undefined && podResources(config)),
			...(container && {
				'io.kubernetes.cri.container-name': container.name,
				'io.kubernetes.cri.image-name': container.image,
			}),
		},
	};
}

/**
 * The sums that the kubelet tells for a pod, for hooks and sandboxes of others: what is set, in the words of the
 * message (`sandbox-cpu-quota`). They limit nothing here: the pod's cgroup is the kubelet's, limits and all.
 */
function podResources({ linux }: PodSandboxConfig): Record<string, string> {
	const { resources, overhead } = linux ?? {};
	return { ...limitsOf('sandbox', resources), ...limitsOf('sandbox-overhead', overhead) };
}

function limitsOf(
	prefix: string,
	resources: LinuxContainerResources | null | undefined,
): Record<string, string> {
	if (resources === null || resources === undefined) return {};
	const { cpu_period, cpu_quota, cpu_shares, memory_limit_in_bytes } = resources;
	const limits = {
		'cpu-period': cpu_period,
		'cpu-quota': cpu_quota,
		'cpu-shares': cpu_shares,
		memory: memory_limit_in_bytes,
	};
	return Object.fromEntries(
		Object.entries(limits)
			.filter(([, value]) => value !== '0' && value !== '')
			.map(([name, value]) => [`io.kubernetes.cri.${prefix}-${name}`, value]),
	);
}
