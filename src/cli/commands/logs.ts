import { type Command, InvalidArgumentError } from 'commander';
import { failedPrecondition } from '#base/errors.ts';
import type { Cli } from '../cli.ts';
import { follow } from '../logs/follow.ts';
import { LogJoiner, type LogLine } from '../logs/parse.ts';
import { findContainer } from '../lookup.ts';
import type { Act } from '../program.ts';

interface LogsOptions {
	readonly follow?: boolean;
	readonly tail?: number;
	readonly timestamps?: boolean;
}

export function addLogs(program: Command, act: Act): void {
	program
		.command('logs')
		.description('what a container wrote')
		.argument('<container>')
		.option('-f, --follow', 'go on until the container ends')
		.option('--tail <lines>', 'only the last lines', count)
		.option('--timestamps', 'with the time of each line')
		.action(act<LogsOptions>(async (cli, [name = ''], options) => await logs(cli, name, options)));
}

async function logs(cli: Cli, name: string, options: LogsOptions): Promise<void> {
	const { id } = await findContainer(cli, name);
	const { status } = await cli.call('ContainerStatus', { container_id: id });
	if (!status?.log_path)
		throw failedPrecondition(`Container ${name} writes no log: it was created without a log path`);
	const write = (line: LogLine) => writeLine(cli, line, options.timestamps ?? false);
	const alive = async () =>
		(await cli.call('ContainerStatus', { container_id: id })).status?.state === 'CONTAINER_RUNNING';
	if (options.tail !== undefined) {
		// Held back until the end of the file is seen once; then written as it comes.
		return await tail(cli, status.log_path, options.tail, write, options.follow ? alive : undefined);
	}
	const joiner = new LogJoiner();
	const more = options.follow ? { more: alive } : {};
	for await (const bytes of follow(status.log_path, { ...more, signal: cli.signal }))
		joiner.push(bytes).forEach(write);
	joiner.end().forEach(write);
}

/** The last lines, and with `alive` everything that follows them. */
async function tail(
	cli: Cli,
	path: string,
	lines: number,
	write: (line: LogLine) => void,
	alive: (() => Promise<boolean>) | undefined,
): Promise<void> {
	const joiner = new LogJoiner();
	const kept: LogLine[] = [];
	let reachedEnd = false;
	const release = () => {
		if (!reachedEnd) kept.slice(kept.length - Math.min(lines, kept.length)).forEach(write);
		reachedEnd = true;
	};
	let rounds = 0;
	// `follow` asks before each round of reading: the second time it asks, the file has been read to its end once.
	const more = async () => {
		if (rounds++ > 0) release();
		return alive === undefined ? false : await alive();
	};
	for await (const bytes of follow(path, { more, signal: cli.signal })) {
		for (const line of joiner.push(bytes)) reachedEnd ? write(line) : kept.push(line);
		if (!reachedEnd && kept.length > 2 * lines + 1000) kept.splice(0, kept.length - lines);
	}
	kept.push(...(reachedEnd ? [] : joiner.end()));
	release();
	joiner.end().forEach(write);
}

function writeLine(cli: Cli, line: LogLine, timestamps: boolean): void {
	if (cli.options.json)
		return void cli.io.out(
			`${JSON.stringify({ time: line.time, stream: line.stream, text: line.text.toString() })}\n`,
		);
	const prefix = timestamps ? `${line.time} ` : '';
	const bytes = Buffer.concat([Buffer.from(prefix), line.text, Buffer.from(line.whole ? '\n' : '')]);
	if (line.stream === 'stdout') cli.io.out(bytes);
	else cli.io.err(bytes);
}

function count(text: string): number {
	if (!/^\d+$/.test(text)) throw new InvalidArgumentError('write a number of lines.');
	return Number(text);
}
