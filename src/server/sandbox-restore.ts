import { restorePod as restore } from '../checkpoint/restore-pod.ts';
import type { UnaryHandler } from './types.ts';

export const restorePod: UnaryHandler<'RestorePod'> = async (daemon, request, call) => {
	const { sandboxId, containers } = await restore(daemon, request, call);
	return {
		pod_sandbox_id: sandboxId,
		restored_containers: containers.map(({ name, id }) => ({ name, container_id: id })),
	};
};
