import type { Command } from 'commander';
import { deadlineExceeded, invalidArgument, StatusError } from '#base/errors.ts';
import type { Cli } from '../cli.ts';
import { describeError, exitCodeOfProgramError } from '../exit-codes.ts';
import { findContainer } from '../lookup.ts';
import { json } from '../output/json.ts';
import type { Act } from '../program.ts';
import { checkTerminal } from '../streams/check-terminal.ts';
import { joinCommand } from '../streams/join.ts';

interface ExecOptions {
	readonly interactive?: boolean;
	readonly tty?: boolean;
}

export function addExec(program: Command, act: Act): void {
	program
		.command('exec')
		.description('run a command in a container and pass on its output and exit code')
		.argument('<container>')
		.argument('<command...>', 'after --')
		.option('-i, --interactive', 'pass on standard input')
		.option('-t, --tty', 'give it a terminal: this one, with -i')
		.action(
			act<ExecOptions>(
				async (cli, [name = '', ...command], options) => await exec(cli, name, command, options),
			),
		);
}

async function exec(
	cli: Cli,
	name: string,
	command: readonly string[],
	options: ExecOptions,
): Promise<number> {
	if (command.length === 0) throw invalidArgument('Name a command: gantry exec CONTAINER -- COMMAND');
	const joins = options.interactive || options.tty;
	try {
		return joins ? await execJoined(cli, name, command, options) : await execToEnd(cli, name, command);
	} catch (error) {
		const code = exitCodeOfProgramError(error);
		if (code === undefined) throw error;
		cli.io.err(describeError(error, cli.options.json));
		return code;
	}
}

/** With streams: what is written is seen at once, however much it is. */
async function execJoined(
	cli: Cli,
	name: string,
	command: readonly string[],
	{ interactive: stdin = false, tty = false }: ExecOptions,
): Promise<number> {
	if (cli.options.json) throw invalidArgument('gantry exec --json collects the output: leave out -i and -t');
	checkTerminal(cli.io, { stdin, tty });
	const container = await findContainer(cli, name);
	const request = { container_id: container.id, cmd: command, stdin, tty, stdout: true, stderr: !tty };
	const { url } = await cli.call('Exec', request);
	const what = `${command[0]} in container ${name}`;
	const joined = await joinCommand(cli, url, { stdin, tty, what });
	return joined.kind === 'ended' ? joined.exitCode : 0;
}

async function execToEnd(cli: Cli, name: string, command: readonly string[]): Promise<number> {
	const container = await findContainer(cli, name);
	const seconds = cli.options.timeout ?? 0;
	try {
		const result = await cli.call(
			'ExecSync',
			{ container_id: container.id, cmd: command, timeout: Math.ceil(seconds) },
			{ timeoutMs: callLimitMs(seconds) },
		);
		if (cli.options.json)
			cli.io.out(json({ exitCode: result.exit_code, stdout: result.stdout, stderr: result.stderr }));
		else {
			cli.io.out(result.stdout);
			cli.io.err(result.stderr);
		}
		return result.exit_code;
	} catch (error) {
		if (!(error instanceof StatusError) || error.condition !== 'DEADLINE_EXCEEDED') throw error;
		throw deadlineExceeded(`${command.join(' ')} in container ${name} did not end within ${seconds} s`, {
			cause: error,
		});
	}
}

/** The daemon ends the command at its timeout; the call waits a little longer for that answer. */
function callLimitMs(seconds: number): number {
	return seconds === 0 ? 24 * 60 * 60 * 1000 : (Math.ceil(seconds) + 10) * 1000;
}
