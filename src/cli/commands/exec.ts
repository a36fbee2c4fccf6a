import type { Command } from 'commander';
import { dataLoss, deadlineExceeded, invalidArgument, StatusError } from '#base/errors.ts';
import type { Cli } from '../cli.ts';
import { configOfDaemon } from '../context.ts';
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
		.addHelpText('after', HELP)
		.action(
			act<ExecOptions>(
				async (cli, [name = '', ...command], options) => await exec(cli, name, command, options),
			),
		);
}

const HELP = `
Output is passed on as it is written, however much it is. With --json it is collected, up to the daemon's
runtime.exec_output_max_bytes for each stream; more than that is an error.
--timeout ends the command, unless -i or -t is given; without it the command has as long as it takes.`;

/** Timers count to 2^31-1 ms. */
const MAX_TIMER_MS = 2 ** 31 - 1;

async function exec(
	cli: Cli,
	name: string,
	command: readonly string[],
	options: ExecOptions,
): Promise<number> {
	if (command.length === 0) throw invalidArgument('Name a command: gantry exec CONTAINER -- COMMAND');
	const joins = options.interactive || options.tty;
	if (joins && cli.options.json)
		throw invalidArgument('gantry exec --json collects the output: leave out -i and -t');
	try {
		if (cli.options.json) return await execCollected(cli, name, command);
		if (joins) return await execStreamed(cli, name, command, options);
		return await withinTimeout(cli, name, command, (limited) =>
			execStreamed(limited, name, command, options),
		);
	} catch (error) {
		const code = exitCodeOfProgramError(error);
		if (code === undefined) throw error;
		cli.io.err(describeError(error, cli.options.json));
		return code;
	}
}

/** What is written is passed on at once, however much it is. The daemon kills the command when we leave. */
async function execStreamed(
	cli: Cli,
	name: string,
	command: readonly string[],
	{ interactive: stdin = false, tty = false }: ExecOptions,
): Promise<number> {
	checkTerminal(cli.io, { stdin, tty });
	const container = await findContainer(cli, name);
	const request = { container_id: container.id, cmd: command, stdin, tty, stdout: true, stderr: !tty };
	const { url } = await cli.call('Exec', request);
	const what = `${command[0]} in container ${name}`;
	const joined = await joinCommand(cli, url, { stdin, tty, what });
	return joined.kind === 'ended' ? joined.exitCode : 0;
}

/** Leaves at the timeout, which ends the command. */
async function withinTimeout(
	cli: Cli,
	name: string,
	command: readonly string[],
	work: (limited: Cli) => Promise<number>,
): Promise<number> {
	const { timeout: seconds } = cli.options;
	if (seconds === undefined) return await work(cli);
	const limit = AbortSignal.timeout(Math.min(Math.ceil(seconds * 1000), MAX_TIMER_MS));
	try {
		return await work({ ...cli, signal: AbortSignal.any([cli.signal, limit]) });
	} catch (error) {
		if (!limit.aborted || cli.signal.aborted) throw error;
		throw late(name, command, seconds, error);
	}
}

async function execCollected(cli: Cli, name: string, command: readonly string[]): Promise<number> {
	const container = await findContainer(cli, name);
	const seconds = cli.options.timeout ?? 0;
	try {
		const { exit_code, stdout, stderr } = await cli.call(
			'ExecSync',
			{ container_id: container.id, cmd: command, timeout: Math.ceil(seconds) },
			{ timeoutMs: callLimitMs(seconds) },
		);
		await checkWhole(cli, { stdout, stderr }, `${command[0]} in container ${name} (exit code ${exit_code})`);
		cli.io.out(json({ exitCode: exit_code, stdout, stderr }));
		return exit_code;
	} catch (error) {
		if (!(error instanceof StatusError) || error.condition !== 'DEADLINE_EXCEEDED') throw error;
		throw late(name, command, seconds, error);
	}
}

/** No ExecSync output is shorter than this when it was cut: the least that runtime.exec_output_max_bytes can be. */
const LEAST_LIMIT_BYTES = 1024;

/**
 * The CRI has the runtime drop what is beyond its limit, without a word: output of just that length may have been
 * longer. DATA_LOSS then.
 */
async function checkWhole(
	cli: Cli,
	output: Readonly<Record<'stdout' | 'stderr', Uint8Array>>,
	what: string,
): Promise<void> {
	const longest = Math.max(output.stdout.length, output.stderr.length);
	if (longest < LEAST_LIMIT_BYTES) return;
	const limit = (await configOfDaemon(cli))?.runtime?.execOutputMaxBytes;
	if (limit === undefined || longest < limit) return;
	const full = output.stdout.length >= limit ? 'standard output' : 'standard error';
	throw dataLoss(
		`The ${full} of ${what} fills the ${limit} bytes that the daemon keeps of it (runtime.exec_output_max_bytes), and what came after them was dropped; leave out --json to have all of it`,
	);
}

function late(name: string, command: readonly string[], seconds: number, cause: unknown): Error {
	return deadlineExceeded(`${command.join(' ')} in container ${name} did not end within ${seconds} s`, {
		cause,
	});
}

/** The daemon ends the command at its timeout; the call waits a little longer for that answer. */
function callLimitMs(seconds: number): number {
	return seconds === 0 ? 24 * 60 * 60 * 1000 : (Math.ceil(seconds) + 10) * 1000;
}
