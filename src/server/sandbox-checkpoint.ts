import { checkpointPod as checkpoint } from '../checkpoint/checkpoint-pod.ts';
import type { UnaryHandler } from './types.ts';

export const checkpointPod: UnaryHandler<'CheckpointPod'> = async (daemon, request, call) => {
	await checkpoint(daemon, request, call);
	return {};
};
