import { notFound } from '#base/errors.ts';
import type { Log } from '#base/log.ts';
import type { ProcessStream } from '#runtime';
import { runningShim } from '../../container/open-exec.ts';
import type { Daemon } from '../../server/types.ts';
import type { AttachStreamRequest } from '../requests.ts';
import type { CommandClient } from './client.ts';
import { moveStreams } from './move.ts';
import { exitStatus, finish } from './status.ts';

/**
 * Joins the streams of a container's process. `open` lets the client know that it is attached: only after it is, so
 * that it misses nothing of what comes then. Leaving does not touch the container. Answers the outcome.
 */
export async function serveAttach(
	daemon: Daemon,
	request: AttachStreamRequest,
	open: () => Promise<CommandClient>,
	log: Log,
): Promise<string> {
	const left = new AbortController();
	const joining = join(daemon, request, left.signal);
	await joining.catch(() => {});
	try {
		const client = await open();
		void client.connection.closed.then(() => left.abort());
		const { process, endsStdin } = await joining;
		await moveStreams(process, client, { endsStdin, log });
		await finish(client, exitStatus(0));
		return 'the container ended';
	} finally {
		await joining.then(({ process }) => process[Symbol.asyncDispose]()).catch(() => {});
	}
}

async function join(
	daemon: Daemon,
	{ containerId, stdin, stdout, stderr }: AttachStreamRequest,
	signal: AbortSignal,
): Promise<{ readonly process: ProcessStream; readonly endsStdin: boolean }> {
	const container = daemon.containers.get(containerId);
	if (container === undefined) throw notFound(`Container ${containerId} was removed meanwhile`);
	const { tty, stdin_once } = container.metadata.config;
	const shim = runningShim(daemon, container, 'attach to');
	const process = await shim.attach(containerId, { stdin, stdout, stderr: stderr && !tty, signal });
	// Others may attach later and find it open, unless it is for one alone.
	return { process, endsStdin: stdin_once };
}
