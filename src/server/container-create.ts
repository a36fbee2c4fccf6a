import { isFromCheckpoint, restoreContainer } from '../checkpoint/restore-container.ts';
import { createContainer as create } from '../container/create-container.ts';
import type { UnaryHandler } from './types.ts';

export const createContainer: UnaryHandler<'CreateContainer'> = async (daemon, request, call) => ({
	container_id: await (isFromCheckpoint(request) ? restoreContainer : create)(daemon, request, call),
});
