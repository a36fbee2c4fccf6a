import { notFound } from '#base/errors.ts';
import { containerInfo } from '../container/info.ts';
import { containerStatusToCri } from '../container/to-cri.ts';
import { requireId } from './require-id.ts';
import type { UnaryHandler } from './types.ts';
import { verboseInfo } from './verbose-info.ts';

export const containerStatus: UnaryHandler<'ContainerStatus'> = async (daemon, request) => {
	const id = requireId('container_id', request.container_id);
	const container = daemon.containers.find(id);
	if (container === undefined) throw notFound(`No container ${id}`);
	return {
		status: containerStatusToCri(container),
		info: request.verbose ? verboseInfo(await containerInfo(daemon, container)) : {},
	};
};
