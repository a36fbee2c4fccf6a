import type { Cli } from '../cli.ts';
import { connectOptions } from './open.ts';
import type { Joined, JoinOptions } from './remote-command.ts';

/** Joins our standard streams to those behind a URL of exec or attach. Its code is loaded only now: few commands have streams. */
export async function joinCommand(cli: Cli, url: string, options: JoinOptions): Promise<Joined> {
	const { COMMAND_PROTOCOL, joinStreams } = await import('./remote-command.ts');
	const { connectSpdy } = await import('./spdy.ts');
	const duplex = await connectSpdy(url, await connectOptions(cli, url, COMMAND_PROTOCOL));
	return await joinStreams(duplex, cli.io.streams, options);
}
