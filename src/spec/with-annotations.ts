import type { PodSandboxConfig } from '#cri-api';
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
			...(container && {
				'io.kubernetes.cri.container-name': container.name,
				'io.kubernetes.cri.image-name': container.image,
			}),
		},
	};
}
