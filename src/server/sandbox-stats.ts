import { notFound } from '#base/errors.ts';
import type { UnaryHandler } from './types.ts';

/** PodSandboxStats of one pod. NOT_FOUND also when it goes away meanwhile. */
export const podSandboxStats: UnaryHandler<'PodSandboxStats'> = async (daemon, request) => {
	const sandbox = daemon.sandboxes.find(request.pod_sandbox_id);
	const stats = sandbox && daemon.stats.sandbox(sandbox);
	if (stats === undefined)
		throw notFound(`Cannot show the stats of sandbox ${request.pod_sandbox_id}: there is no such sandbox`);
	return { stats };
};
