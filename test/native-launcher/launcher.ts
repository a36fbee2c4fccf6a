/** Drives a real launcher over its descriptor 3, frame by frame. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
	encodeFrame,
	type Frame,
	FrameDecoder,
	type Message,
	type MessageName,
} from '../../runtime/shim/codec.ts';
import { PROTOCOL_VERSION } from '../../runtime/shim/schema.ts';

/** GANTRY_SHIM names another build, such as runtime/native/build/sanitize/gantry-shim. */
export const SHIM =
	process.env.GANTRY_SHIM ??
	fileURLToPath(new URL('../../runtime/native/build/gantry-shim', import.meta.url));
export const HOOK = join(SHIM, '..', 'gantry-hook');

/** An ERROR frame as an exception. */
class Refused extends Error {
	readonly body: Message<'ERROR'>;
	constructor(body: Message<'ERROR'>) {
		super(body.detail);
		this.body = body;
	}
}

/** For assert.rejects: an ERROR with this errno, whose detail holds `text`, of this step. */
export const refused =
	(errno: number, text = '', step?: number) =>
	(error: unknown): boolean => {
		if (!(error instanceof Refused)) throw error;
		assert.deepEqual([error.body.errno, error.body.step], [errno, step ?? error.body.step], error.message);
		assert.ok(error.message.includes(text), `'${error.message}' holds no '${text}'`);
		return true;
	};

export class TestLauncher implements AsyncDisposable {
	readonly process: ChildProcess;
	readonly socket: Socket;
	readonly #waiting = new Map<number, (frame: Frame | undefined) => void>();
	#requestId = 0;

	constructor() {
		this.process = spawn(SHIM, ['launcher', '--instance', 'test'], {
			stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
		});
		this.socket = this.process.stdio[3] as unknown as Socket;
		const decoder = new FrameDecoder();
		this.socket.on('data', (chunk: Buffer) => {
			for (const frame of decoder.push(chunk)) {
				this.#waiting.get(frame.requestId)?.(frame);
				this.#waiting.delete(frame.requestId);
			}
		});
		this.socket.on('error', () => undefined);
		this.socket.on('close', () => {
			for (const tell of this.#waiting.values()) tell(undefined);
		});
	}

	static async start(): Promise<TestLauncher> {
		const launcher = new TestLauncher();
		await launcher.ask('HELLO', { version: PROTOCOL_VERSION }, 'WELCOME');
		return launcher;
	}

	get pid(): number {
		return this.process.pid ?? 0;
	}

	/** Sends a request; rejects with Refused on an ERROR, and when the reply is of another type. */
	async ask<N extends MessageName, R extends MessageName>(
		type: N,
		body: Message<N>,
		reply: R,
	): Promise<Message<R>> {
		const frame = await new Promise<Frame | undefined>((resolve) => {
			const id = ++this.#requestId;
			this.#waiting.set(id, resolve);
			this.socket.write(encodeFrame(type, id, body));
		});
		if (frame === undefined) throw new Error(`the launcher closed the connection before it answered ${type}`);
		if (frame.type === 'ERROR') throw new Refused(frame.body);
		if (frame.type !== reply) throw new Error(`${type} was answered by ${frame.type}`);
		return frame.body as unknown as Message<R>;
	}

	async run(
		argv: readonly string[],
		rest: Partial<Message<'RUN'>> = {},
	): Promise<Message<'RAN'> & { out: string; err: string }> {
		const body = {
			argv,
			env: [],
			cwd: '',
			stdin: new Uint8Array(),
			timeout_ms: 0,
			max_output: 1 << 20,
			namespaces: [],
			outlives: 0,
			...rest,
		};
		const ran = await this.ask('RUN', body, 'RAN');
		return { ...ran, out: Buffer.from(ran.stdout).toString(), err: Buffer.from(ran.stderr).toString() };
	}

	/** Closes the connection; settles when the process has ended. */
	async end(): Promise<number | null> {
		if (this.process.exitCode !== null || this.process.signalCode !== null) return this.process.exitCode;
		const exited = once(this.process, 'exit');
		this.socket.destroy();
		return ((await exited) as [number | null])[0];
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.end();
	}
}

/** A folder of the test's own, removed at the end of its scope. */
export function temporaryFolder(): Disposable & { readonly path: string } {
	const path = mkdtempSync(join(tmpdir(), 'gantry-native-'));
	return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** Settles when `condition` holds; the test's own timeout ends a wait in vain. */
export async function until(condition: () => boolean): Promise<void> {
	while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** Compiles probe.c into `folder`; it looks at what Node cannot. */
export function buildProbe(folder: string): (...args: string[]) => string {
	const program = join(folder, 'probe');
	execFileSync('cc', ['-O1', '-o', program, fileURLToPath(new URL('probe.c', import.meta.url))]);
	return (...args) => execFileSync(program, args).toString().trim();
}
