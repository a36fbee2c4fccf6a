/** A real gantryd process for tests, on temporary folders and under an instance name of its own. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { connectCri, type TestCri } from './cri-client.ts';
import { leftoversOf } from './leftovers.ts';

/** What people start: it becomes the daemon, so that its process id is the daemon's. */
const GANTRYD = fileURLToPath(new URL('../../hack/gantryd', import.meta.url));

export interface LogLine {
	readonly level: string;
	readonly msg: string;
	readonly [field: string]: unknown;
}

export interface TestDaemonOptions {
	/** Text of its gantry.toml. */
	readonly config?: string;
	/** More of its command line. */
	readonly args?: readonly string[];
	/** Take these over from another test daemon: a second one on the same folders, or a restart. */
	readonly folder?: string;
	readonly instance?: string;
	/** More of its environment. */
	readonly env?: Readonly<Record<string, string>>;
}

export interface DaemonProcess {
	readonly child: ChildProcess;
	/** Everything it has logged so far; lines that are not JSON come with level `text`. */
	readonly lines: readonly LogLine[];
	/** Settles with the exit code (or the signal's name) when it has ended. */
	readonly ended: Promise<number | string>;
	/** The first line with this message, waited for. Fails when the process ends before. */
	line(msg: RegExp): Promise<LogLine>;
	/** From now on the log is read by nobody: what it takes to understand it is not to be measured. */
	ignoreLog(): void;
}

export interface TestDaemon extends AsyncDisposable {
	readonly instance: string;
	/** Holds gantry.toml, root, state and the socket. */
	readonly folder: string;
	readonly address: string;
	readonly cri: TestCri;
	/** The process that runs now. */
	readonly process: DaemonProcess;
	/** Ends the daemon and waits; pods live on. Default SIGTERM, which must end it with code 0. */
	stop(signal?: NodeJS.Signals): Promise<void>;
	/** Waits for a daemon that is killed by something else. */
	died(): Promise<void>;
	/** Starts it again on the same folders, and waits until it is ready. */
	start(): Promise<void>;
	/** Removes all pods, stops the daemon, removes the folder, and fails if anything is left on the machine. */
	[Symbol.asyncDispose](): Promise<void>;
}

/** Starts a daemon process without waiting for it. */
export function spawnDaemon(
	args: readonly string[],
	env: Readonly<Record<string, string>> = {},
): DaemonProcess {
	const child = spawn(GANTRYD, args, {
		stdio: ['ignore', 'inherit', 'pipe'],
		env: { ...process.env, ...env },
	});
	const lines: LogLine[] = [];
	const waiting = new Set<() => void>();
	const wakeAll = (): void => {
		for (const wake of waiting) wake();
	};
	const reader = createInterface({ input: child.stderr ?? assert.fail('no standard error') });
	reader.on('line', (text) => {
		lines.push(parseLine(text));
		wakeAll();
	});
	const ended = Promise.all([once(child, 'exit'), once(reader, 'close')]).then(([[code, signal]]) => {
		hasEnded = true;
		wakeAll();
		return (signal ?? code) as number | string;
	});
	let hasEnded = false;
	async function line(msg: RegExp): Promise<LogLine> {
		for (;;) {
			const found = lines.find((candidate) => msg.test(candidate.msg));
			if (found !== undefined) return found;
			if (hasEnded)
				throw new Error(
					`gantryd ended without the line ${msg}:\n${lines.map((each) => JSON.stringify(each)).join('\n')}`,
				);
			await new Promise<void>((resolve) => waiting.add(resolve));
		}
	}
	const ignoreLog = (): void => {
		reader.close();
		child.stderr?.resume();
	};
	return { child, lines, ended, line, ignoreLog };
}

function parseLine(text: string): LogLine {
	try {
		return JSON.parse(text) as LogLine;
	} catch {
		return { level: 'text', msg: text };
	}
}

/** Command line of a daemon whose things lie in `folder`. GANTRY_NATIVE_DIR chooses other C programs (a sanitizer build). */
export function daemonArgs(folder: string, instance: string): string[] {
	const native = process.env.GANTRY_NATIVE_DIR;
	return [
		...['--config', join(folder, 'gantry.toml'), '--listen', `unix://${join(folder, 'cri.sock')}`],
		...['--root', join(folder, 'root'), '--state', join(folder, 'state'), '--set', `instance=${instance}`],
		...(native === undefined ? [] : ['--set', `runtime.native_folder=${native}`]),
	];
}

/** Starts a daemon and waits until it is ready. */
export async function startTestDaemon(options: TestDaemonOptions = {}): Promise<TestDaemon> {
	const instance = options.instance ?? `t${randomBytes(3).toString('hex')}`;
	const folder = options.folder ?? mkdtempSync(join(tmpdir(), `gantry-${instance}-`));
	writeFileSync(join(folder, 'gantry.toml'), options.config ?? '');
	const args = [...daemonArgs(folder, instance), ...(options.args ?? [])];
	const daemon = new RunningTestDaemon(instance, folder, args, options.env ?? {});
	await daemon.start();
	return daemon;
}

class RunningTestDaemon implements TestDaemon {
	readonly instance: string;
	readonly folder: string;
	readonly address: string;
	readonly cri: TestCri;
	readonly #args: readonly string[];
	readonly #env: Readonly<Record<string, string>>;
	#process: DaemonProcess | undefined;

	constructor(
		instance: string,
		folder: string,
		args: readonly string[],
		env: Readonly<Record<string, string>>,
	) {
		this.instance = instance;
		this.folder = folder;
		this.address = `unix://${join(folder, 'cri.sock')}`;
		this.cri = connectCri(this.address);
		this.#args = args;
		this.#env = env;
	}

	get process(): DaemonProcess {
		return this.#process ?? assert.fail('the daemon does not run');
	}

	async start(): Promise<void> {
		this.#process = spawnDaemon(this.#args, this.#env);
		await this.#process.line(/^Ready$/);
	}

	async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
		const running = this.process;
		running.child.kill(signal);
		const code = await running.ended;
		this.#process = undefined;
		if (signal === 'SIGTERM') assert.equal(code, 0, `gantryd ended with ${code}`);
	}

	async died(): Promise<void> {
		await this.process.ended;
		this.#process = undefined;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		if (this.#process === undefined) await this.start();
		const { items } = await this.cri.ListPodSandbox();
		for (const { id } of items) await this.cri.RemovePodSandbox({ pod_sandbox_id: id });
		await this.stop();
		this.cri.client.close();
		const left = leftoversOf(this.instance, this.folder);
		rmSync(this.folder, { recursive: true, force: true });
		assert.deepEqual(left, [], 'the daemon left something on the machine');
	}
}
