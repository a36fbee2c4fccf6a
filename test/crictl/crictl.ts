/** Runs crictl as a user does. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';

export const hasCrictl = spawnSync('crictl', ['--version']).error === undefined;

export interface Crictl {
	/** Standard output; fails when crictl does. */
	(...args: readonly string[]): string;
	/** Standard output as JSON. */
	// biome-ignore lint/suspicious/noExplicitAny: what crictl prints is what is tested
	json(...args: readonly string[]): any;
	/** Exit code and both outputs, whatever they are. */
	result(...args: readonly string[]): {
		readonly code: number | null;
		readonly stdout: string;
		readonly stderr: string;
	};
	/** In the background. */
	start(...args: readonly string[]): ChildProcess;
}

export function crictlFor(address: string): Crictl {
	// A config of the machine must not lead the test to another runtime.
	const options = [
		'--config',
		'/dev/null',
		'--runtime-endpoint',
		address,
		'--image-endpoint',
		address,
		'--timeout',
		'30s',
	];
	const run = (...args: readonly string[]) =>
		execFileSync('crictl', [...options, ...args], { encoding: 'utf8', timeout: 60_000 });
	return Object.assign(run, {
		json: (...args: readonly string[]) => JSON.parse(run(...args)),
		result: (...args: readonly string[]) => {
			const { status, stdout, stderr } = spawnSync('crictl', [...options, ...args], {
				encoding: 'utf8',
				timeout: 60_000,
			});
			return { code: status, stdout, stderr };
		},
		start: (...args: readonly string[]) =>
			spawn('crictl', [...options, ...args], { stdio: ['ignore', 'pipe', 'inherit'] }),
	});
}

/** A table of crictl as objects by heading: columns are separated by two or more spaces. */
export function rowsOf(table: string): Record<string, string>[] {
	// `stats` clears the screen first.
	// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with one
	const plain = table.replace(/\u001b\[[0-9;]*[A-Za-z]/g, '');
	const [head = '', ...lines] = plain.trimEnd().split('\n');
	const titles = head.split(/\s{2,}/).map((title) => title.trim());
	const starts = titles.map((title, index) => (index === 0 ? 0 : head.indexOf(`  ${title}`) + 2));
	return lines.map((line) =>
		Object.fromEntries(
			titles.map((title, index) => [title, line.slice(starts[index], starts[index + 1]).trim()]),
		),
	);
}
