import { updateSandboxResources } from '../sandbox/update-resources.ts';
import { requireId } from './require-id.ts';
import type { UnaryHandler } from './types.ts';

export const updatePodSandboxResources: UnaryHandler<'UpdatePodSandboxResources'> = (daemon, request) => {
	requireId('pod_sandbox_id', request.pod_sandbox_id);
	updateSandboxResources(daemon, request);
	return {};
};
