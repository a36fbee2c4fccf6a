import { failedPrecondition, notFound } from '#base/errors.ts';
import { runningShim } from '../container/open-exec.ts';
import { checkWantedStreams } from '../streaming/check-request.ts';
import { requireId } from './require-id.ts';
import type { UnaryHandler } from './types.ts';

/** Attach: a URL of the streaming server, at which the streams of the container's process are joined. */
export const attachContainer: UnaryHandler<'Attach'> = async (daemon, request) => {
	const wanted = checkWantedStreams(request);
	const container = daemon.containers.find(requireId('container_id', request.container_id));
	if (container === undefined) throw notFound(`No container ${request.container_id}`);
	runningShim(daemon, container, 'attach to');
	const { id: containerId, config } = container.metadata;
	if (wanted.stdin && !config.stdin)
		throw failedPrecondition(
			`Cannot attach to the stdin of container ${containerId}: it was made without one; attach without stdin`,
		);
	return { url: await daemon.streaming.urlFor({ kind: 'attach', containerId, ...wanted }) };
};
