/** A pseudo-terminal with a program in it. Node has no forkpty: `script` (bsdutils, on every Debian) makes it. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { readFileSync, readlinkSync } from 'node:fs';
import { childrenOf } from './machine.ts';
import { until } from './until.ts';

const RESTORED = '[the terminal is as before]';
const CHANGED = '[the terminal is not as before]';
/** Runs the program at a known size, and then says whether its settings are those of before. */
const FRAME = `stty cols 100 rows 30; before=$(stty -g); "$@"; code=$?; \
[ "$(stty -g)" = "$before" ] && echo "${RESTORED}" || echo "${CHANGED}"; exit $code`;

export class Terminal implements Disposable {
	readonly #script: ChildProcess;
	readonly #exit: Promise<number | null>;
	#output = '';

	constructor(argv: readonly string[]) {
		const quoted = ['sh', '-c', FRAME, 'sh', ...argv].map((word) => `'${word.replaceAll("'", "'\\''")}'`);
		this.#script = spawn('script', ['--quiet', '--return', '--command', quoted.join(' '), '/dev/null'], {
			stdio: ['pipe', 'pipe', 'inherit'],
			env: { ...process.env, SHELL: '/bin/sh' },
		});
		this.#script.stdout?.on('data', (chunk) => {
			this.#output += chunk;
		});
		this.#exit = new Promise((resolve) => this.#script.once('close', resolve));
	}

	/** What the program and the terminal's echo have written; without carriage returns. */
	get output(): string {
		return this.#output.replaceAll('\r', '');
	}

	type(keys: string): void {
		this.#script.stdin?.write(keys);
	}

	async shows(text: string | RegExp): Promise<void> {
		try {
			await until(`the terminal shows ${text}`, () =>
				typeof text === 'string' ? this.output.includes(text) : text.test(this.output),
			);
		} catch (error) {
			assert.fail(`${(error as Error).message}; it shows:\n${this.output}`);
		}
	}

	/** As a window does that was made larger: those in it hear of it. */
	resize(columns: number, rows: number): void {
		execFileSync('stty', ['-F', this.#device, 'cols', String(columns), 'rows', String(rows)]);
	}

	/** The process of this name in the terminal. */
	pidOf(name: RegExp): number {
		const pid = descendants(this.#script.pid ?? 0).find((each) => name.test(commandLine(each)));
		return pid ?? assert.fail(`no process ${name} is in the terminal`);
	}

	/** Whether the program, which has ended, has left the terminal as it was; and its exit code. */
	async ended(): Promise<{ readonly code: number | null; readonly isRestored: boolean }> {
		const code = await this.#exit;
		assert.ok(this.output.includes(RESTORED) || this.output.includes(CHANGED), this.output);
		return { code, isRestored: this.output.includes(RESTORED) };
	}

	[Symbol.dispose](): void {
		this.#script.kill('SIGKILL');
	}

	get #device(): string {
		const [shell = 0] = descendants(this.#script.pid ?? 0);
		return readlinkSync(`/proc/${shell}/fd/0`);
	}
}

function descendants(pid: number): number[] {
	return childrenOf(pid).flatMap((child) => [child, ...descendants(child)]);
}

const commandLine = (pid: number): string =>
	readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
