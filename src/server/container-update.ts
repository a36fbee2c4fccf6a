import { updateResources } from '../container/update-resources.ts';
import { requireId } from './require-id.ts';
import type { UnaryHandler } from './types.ts';

export const updateContainerResources: UnaryHandler<'UpdateContainerResources'> = async (daemon, request) => {
	requireId('container_id', request.container_id);
	await updateResources(daemon, request);
	return {};
};
