import { notFound } from '#base/errors.ts';
import type { UnaryHandler } from './types.ts';

/** ContainerStats of one container. NOT_FOUND also when it goes away meanwhile. */
export const containerStats: UnaryHandler<'ContainerStats'> = async (daemon, request) => {
	const container = daemon.containers.find(request.container_id);
	const stats = container && (await daemon.stats.container(container));
	if (stats === undefined)
		throw notFound(`Cannot show the stats of container ${request.container_id}: there is no such container`);
	return { stats };
};
