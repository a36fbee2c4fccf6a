import { notFound } from '#base/errors.ts';
import { checkArguments } from '../container/command.ts';
import { runningShim } from '../container/open-exec.ts';
import { checkWantedStreams } from '../streaming/check-request.ts';
import { requireId } from './require-id.ts';
import type { UnaryHandler } from './types.ts';

/** Exec: a URL of the streaming server, at which the command is run. */
export const execContainer: UnaryHandler<'Exec'> = async (daemon, request) => {
	const wanted = checkWantedStreams(request);
	checkArguments('cmd', request.cmd);
	const container = daemon.containers.find(requireId('container_id', request.container_id));
	if (container === undefined) throw notFound(`No container ${request.container_id}`);
	runningShim(daemon, container, 'run a command in');
	const { id: containerId } = container.metadata;
	return {
		url: await daemon.streaming.urlFor({ kind: 'exec', containerId, command: request.cmd, ...wanted }),
	};
};
