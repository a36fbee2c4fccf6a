import { notFound } from '#base/errors.ts';
import type { Log } from '#base/log.ts';
import { openExec } from '../../container/open-exec.ts';
import type { Daemon } from '../../server/types.ts';
import type { ExecStreamRequest } from '../requests.ts';
import type { CommandClient } from './client.ts';
import { moveStreams } from './move.ts';
import { exitStatus, finish } from './status.ts';

/** Runs a command for a client, which is told its exit code. It is killed when the client leaves. Answers the outcome. */
export async function serveExec(
	daemon: Daemon,
	request: ExecStreamRequest,
	client: CommandClient,
	log: Log,
): Promise<string> {
	const { containerId, command, stdin, tty } = request;
	const container = daemon.containers.get(containerId);
	if (container === undefined) throw notFound(`Container ${containerId} was removed meanwhile`);
	await using process = await openExec(daemon, container, command, {
		stdin,
		terminal: tty,
		signal: whenClosed(client),
	});
	const exit = await moveStreams(process, client, { endsStdin: true, log });
	const exitCode = exit.signal === 0 ? exit.exitCode : 128 + exit.signal;
	await finish(client, exitStatus(exitCode));
	return exit.signal === 0 ? `exit code ${exitCode}` : `signal ${exit.signal}`;
}

function whenClosed({ connection }: CommandClient): AbortSignal {
	const left = new AbortController();
	void connection.closed.then(() => left.abort());
	return left.signal;
}
