/** A daemon, a registry with busybox in it, and the command as a user would call it, in this process. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { memoryIo } from '../../src/cli/io.ts';
import { runCli } from '../../src/cli/program.ts';
import { startTestDaemon, type TestDaemon, type TestDaemonOptions } from '../support/daemon.ts';
import { busyboxEntries, startRegistry } from '../support/registry.ts';

/** A machine that is emulated (hack/test-v2) takes its time. */
const CALL_TIMEOUT_SECONDS = Number(process.env.TEST_CALL_TIMEOUT_MS ?? 60_000) / 1000;

export interface Said {
	readonly code: number;
	readonly stdout: string;
	readonly stderr: string;
}

export interface RunningCommand {
	readonly io: { readonly stdout: string; readonly stderr: string };
	readonly said: Promise<Said>;
	interrupt(): void;
}

export interface CliStage extends AsyncDisposable {
	readonly daemon: TestDaemon;
	/** Reference of busybox in the registry. */
	readonly image: string;
	/** Reference of an image with nothing in it but `set/file`. */
	readonly data: string;
	/** `gantry ARGS`, told where the daemon is. */
	gantry(...args: readonly string[]): Promise<Said>;
	/** The same, to be looked at and interrupted (as Ctrl-C does) while it runs. */
	startGantry(...args: readonly string[]): RunningCommand;
	/** Writes a manifest; returns its path. */
	manifest(name: string, spec: object, metadata?: object): string;
}

export async function setCliStage(options: TestDaemonOptions = {}): Promise<CliStage> {
	const registry = await startRegistry();
	const { reference: image } = await registry.pushImage({
		name: 'cli/busybox',
		tag: '1',
		layers: [{ entries: busyboxEntries() }],
		config: { Cmd: ['sh'], Env: ['PATH=/bin'] },
	});
	const { reference: data } = await registry.pushImage({
		name: 'cli/data',
		tag: '1',
		layers: [{ entries: [{ name: 'set/' }, { name: 'set/file', data: 'of the image\n' }] }],
	});
	const daemon = await startTestDaemon(options);
	const where = [
		...['--config', join(daemon.folder, 'gantry.toml'), '--address', daemon.address],
		...['--root', join(daemon.folder, 'root'), '--state', join(daemon.folder, 'state')],
		...['--set', `instance=${daemon.instance}`, '--timeout', String(CALL_TIMEOUT_SECONDS)],
	];
	const startGantry = (...args: readonly string[]): RunningCommand => {
		const io = memoryIo();
		const interrupt = new AbortController();
		const running = runCli([...where, ...args], { io, signal: interrupt.signal });
		return {
			io,
			interrupt: () => interrupt.abort(),
			said: running.then((code) => ({ code, stdout: io.stdout, stderr: io.stderr })),
		};
	};
	return {
		daemon,
		image,
		data,
		startGantry,
		gantry: (...args) => startGantry(...args).said,
		manifest: (name, spec, metadata = {}) => {
			const path = join(daemon.folder, `${name}.json`);
			writeFileSync(
				path,
				JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name, ...metadata }, spec }),
			);
			return path;
		},
		async [Symbol.asyncDispose]() {
			try {
				await daemon[Symbol.asyncDispose]();
			} finally {
				await registry[Symbol.asyncDispose]();
			}
		},
	};
}

/** A main container that waits for SIGTERM; `script` runs first. */
export function waiting(
	name: string,
	image: string,
	script = ':',
): { name: string; image: string; command: string[] } {
	return {
		name,
		image,
		command: ['sh', '-c', `trap 'exit 0' TERM; ${script}; while :; do sleep 1 & wait; done`],
	};
}
