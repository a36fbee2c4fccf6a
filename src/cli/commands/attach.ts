import type { Command } from 'commander';
import { invalidArgument } from '#base/errors.ts';
import type { Cli } from '../cli.ts';
import { findContainer } from '../lookup.ts';
import type { Act } from '../program.ts';
import { checkTerminal } from '../streams/check-terminal.ts';
import { DEFAULT_DETACH_KEYS, parseDetachKeys } from '../streams/detach-keys.ts';
import { joinCommand } from '../streams/join.ts';

interface AttachOptions {
	readonly interactive?: boolean;
	readonly tty?: boolean;
	readonly detachKeys: string;
}

export function addAttach(program: Command, act: Act): void {
	program
		.command('attach')
		.description('join the streams of a running container; leaving it does not touch it')
		.argument('<container>')
		.option('-i, --interactive', 'pass on standard input')
		.option('-t, --tty', 'the container has a terminal: join it to this one, with -i')
		.option('--detach-keys <keys>', 'what to type to leave, with -it; "" for none', DEFAULT_DETACH_KEYS)
		.action(act<AttachOptions>(async (cli, [name = ''], options) => await attach(cli, name, options)));
}

async function attach(
	cli: Cli,
	name: string,
	{ interactive: stdin = false, tty = false, detachKeys: keys }: AttachOptions,
): Promise<number> {
	if (cli.options.json) throw invalidArgument('gantry attach passes bytes on as they are: leave out --json');
	const detachKeys = stdin && tty ? parseDetachKeys(keys) : Buffer.alloc(0);
	checkTerminal(cli.io, { stdin, tty });
	const container = await findContainer(cli, name);
	const { url } = await cli.call('Attach', {
		container_id: container.id,
		stdin,
		tty,
		stdout: true,
		stderr: !tty,
	});
	const what = `container ${name}`;
	const joined = await joinCommand(cli, url, { stdin, tty, detachKeys, what });
	if (joined.kind === 'detached') {
		cli.io.err(`\r\nDetached from ${what}, which goes on.\n`);
		return 0;
	}
	return joined.exitCode;
}
