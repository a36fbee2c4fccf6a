import { messageOf } from '#base/errors.ts';
import type { Log } from '#base/log.ts';
import type { ProcessStream, StreamExit } from '#runtime';
import type { CommandClient } from './client.ts';
import { terminalSizes } from './resize.ts';

export interface MoveOptions {
	/** The client's end of stdin is the process's. */
	readonly endsStdin: boolean;
	readonly log: Log;
}

/**
 * Moves everything between a process and a client until the process has ended and all that it wrote is handed over.
 * Whoever is slow makes the other wait. Fails with CANCELLED when the client leaves.
 */
export async function moveStreams(
	process: ProcessStream,
	client: CommandClient,
	{ endsStdin, log }: MoveOptions,
): Promise<StreamExit> {
	const beside = (what: string, work: Promise<void>) =>
		work.catch((error: unknown) => log.debug(`${what} ended`, { error: messageOf(error) }));
	// These end with the process or the client, and nobody waits for them.
	if (client.stdin) void beside('stdin', moveInput(process, client.stdin.input, endsStdin));
	if (client.resize) void beside('resizing', moveSizes(process, client.resize.input));
	for await (const { stream, data } of process.output) await client[stream]?.write(data);
	return await process.exit;
}

async function moveInput(
	process: ProcessStream,
	input: AsyncIterable<Buffer>,
	endsStdin: boolean,
): Promise<void> {
	for await (const chunk of input) await process.write(chunk);
	if (endsStdin) await process.closeStdin();
}

async function moveSizes(process: ProcessStream, input: AsyncIterable<Buffer>): Promise<void> {
	for await (const { columns, rows } of terminalSizes(input)) await process.resize(columns, rows);
}
