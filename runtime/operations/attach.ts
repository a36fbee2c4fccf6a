import { failedPrecondition } from '#base/errors.ts';
import { openConnection } from '../shim/connection.ts';
import { explain, ProtocolError } from '../shim/errors.ts';
import { ShimStream } from '../shim/stream.ts';
import type { CallOptions, ProcessStream } from '../types.ts';
import type { ShimContext } from './context.ts';
import { canExec, explainRefusal, listContainers } from './state.ts';

/** Joins the streams of a running container, on a connection of its own. Leaving does not touch the container. */
export async function attachToContainer(
	shim: ShimContext,
	id: string,
	options: { stdin: boolean; stdout: boolean; stderr: boolean } & CallOptions,
): Promise<ProcessStream> {
	const { stdin, stdout, stderr, signal } = options;
	const pid = (await listContainers(shim)).find((container) => container.id === id)?.process.pid ?? 0;
	const { connection } = await openConnection(shim.socketPath, `The shim of ${shim.sandboxId}`);
	const stream = new ShimStream(connection, signal);
	try {
		const request = { id, stdin: stdin ? 1 : 0, stdout: stdout ? 1 : 0, stderr: stderr ? 1 : 0 };
		await connection.request('ATTACH', request, 'OK', signal);
		stream.started(pid);
		return stream;
	} catch (error) {
		await stream[Symbol.asyncDispose]();
		throw (
			closedStdin(id, error) ??
			(await explainRefusal(shim, id, 'attach to', error, canExec)) ??
			explain(`attach to container ${id}`, error)
		);
	}
}

/** Somebody has ended it: the one attach of a stdin-once container, or its process. */
function closedStdin(id: string, error: unknown): Error | undefined {
	if (!(error instanceof ProtocolError) || error.errno !== 'EPIPE') return undefined;
	return failedPrecondition(
		`Cannot attach to the stdin of container ${id}: it is closed; attach without stdin`,
		{
			cause: error,
		},
	);
}
