import { unsupported } from './unsupported.ts';

/** UpdatePodSandboxResources: not yet. */
export const updatePodSandboxResources = unsupported(
	'UpdatePodSandboxResources',
	'the resources of containers can be changed by UpdateContainerResources',
);
