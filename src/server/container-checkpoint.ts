import { checkpointContainer as checkpoint } from '../checkpoint/checkpoint-container.ts';
import type { UnaryHandler } from './types.ts';

export const checkpointContainer: UnaryHandler<'CheckpointContainer'> = async (daemon, request, call) => {
	await checkpoint(daemon, request, call);
	return {};
};
