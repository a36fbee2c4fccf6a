import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { EXIT } from '../exit-codes.ts';
import { VERSION } from '../startup/version.ts';
import type { Cli, CommandResult, GlobalOptions } from './cli.ts';
import { addAttach } from './commands/attach.ts';
import { addCompletion } from './commands/completion.ts';
import { addConfig } from './commands/config.ts';
import { addDoctor } from './commands/doctor.ts';
import { addExec } from './commands/exec.ts';
import { addImages } from './commands/images.ts';
import { addInspect } from './commands/inspect.ts';
import { addLogs } from './commands/logs.ts';
import { addPortForward } from './commands/port-forward.ts';
import { addPs } from './commands/ps.ts';
import { addPull } from './commands/pull.ts';
import { addRm } from './commands/rm.ts';
import { addRmi } from './commands/rmi.ts';
import { addRun } from './commands/run.ts';
import { addStats } from './commands/stats.ts';
import { addVersion } from './commands/version.ts';
import { createCli } from './context.ts';
import { describeError, exitCodeOf } from './exit-codes.ts';
import type { Io } from './io.ts';

/** Turns the work of a command into what commander calls. */
export type Act = <O>(
	work: (cli: Cli, args: readonly string[], options: O) => CommandResult,
) => (...passed: unknown[]) => Promise<void>;

const COMMANDS = [
	addRun,
	addRm,
	addPs,
	addLogs,
	addExec,
	addAttach,
	addPortForward,
	addStats,
	addInspect,
	addImages,
	addPull,
	addRmi,
	addDoctor,
	addConfig,
	addVersion,
	addCompletion,
];

/** Runs one command line and returns its exit code. */
export async function runCli(
	argv: readonly string[],
	{ io, signal }: { readonly io: Io; readonly signal: AbortSignal },
): Promise<number> {
	const result = { code: EXIT.ok as number };
	const act: Act =
		(work) =>
		async (...passed) => {
			const command = passed.at(-1) as Command;
			const options = command.optsWithGlobals<GlobalOptions>();
			const args = passed
				.slice(0, -2)
				.flat()
				.filter((arg): arg is string => arg !== undefined);
			try {
				using cli = createCli(options, io, signal);
				result.code = (await work(cli, args, options as never)) ?? EXIT.ok;
			} catch (error) {
				if (signal.aborted) result.code = 130;
				else {
					result.code = exitCodeOf(error);
					io.err(describeError(error, options.json));
				}
			}
		};
	try {
		await buildProgram(io, act).parseAsync([...argv], { from: 'user' });
	} catch (error) {
		if (!(error instanceof CommanderError)) throw error;
		return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
	}
	return result.code;
}

/** The command with all its subcommands. */
export function buildProgram(io: Io, act: Act): Command {
	const program = new Command('gantry')
		.description('Runs and looks after pods on this node, through a gantryd.')
		.addOption(
			new Option(
				'--address <address>',
				'CRI socket of the daemon (default: what the configuration says)',
			).env('GANTRY_ADDRESS'),
		)
		.addOption(new Option('--config <file>', 'configuration file of the daemon').env('GANTRY_CONFIG'))
		.option('--root <folder>', 'folder of images and writable layers')
		.option('--state <folder>', 'folder of records and sockets')
		.option(
			'--set <key=value>',
			'set one option, as gantryd --set does',
			(value: string, all: string[]) => [...all, value],
			[],
		)
		.option('--json', 'write JSON instead of tables', false)
		.option('--timeout <seconds>', 'longest time for one call', seconds)
		.version(VERSION)
		.showHelpAfterError('Try "gantry --help".')
		.exitOverride()
		.configureOutput({
			writeOut: (text) => io.out(text),
			writeErr: (text) => io.err(text),
			outputError: (text, write) => write(text.replace(/^error:/, 'gantry:')),
		})
		.addHelpText('after', HELP);
	program.helpCommand(true);
	for (const add of COMMANDS) add(program, act);
	for (const command of program.commands)
		command.showHelpAfterError(`Try "gantry ${command.name()} --help".`);
	return program;
}

const HELP = `
Pods and containers are named by id, by the beginning of an id, or by name (containers also as POD/NAME).
Exit codes: 0 done, 1 failed, 2 wrong usage or input, 3 no such object, 4 daemon or registry unavailable,
78 broken configuration, or data of a newer daemon.
"gantry exec" passes on the exit code of the command; "gantry doctor" exits with 1 when it found something.`;

function seconds(text: string): number {
	const value = Number(text);
	if (!(value > 0)) throw new InvalidArgumentError('write a number of seconds above 0.');
	return value;
}
