import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { failedPrecondition, unavailable } from '#base/errors.ts';
import type { Log } from '#base/log.ts';
import { perObject } from '#base/per-object.ts';
import type { OciSeccomp } from '../oci/spec.ts';
import { seccompRequest } from '../seccomp/compile.ts';
import { simplifyFilter } from '../seccomp/simplify.ts';
import { encodePlan, type Op } from '../shim/codec.ts';
import { FrameConnection } from '../shim/connection.ts';
import { explain, explained, ProtocolError } from '../shim/errors.ts';
import type {
	CallOptions,
	FsOp,
	Launcher,
	NetResult,
	NetStep,
	ProcessIdentity,
	ProgramResult,
	RunProgram,
	StartShimOptions,
} from '../types.ts';
import { batches } from './files.ts';
import { type LauncherProcess, spawnLauncher } from './process.ts';

export interface LauncherOptions {
	/** Path of gantry-shim; see nativeBinary. */
	readonly binary: string;
	/** Names everything of this daemon on the machine. */
	readonly instance: string;
	readonly log: Log;
}

/** Of all that makes its filter; flags are for its installation. */
const digestOf = perObject(({ flags: _installed, ...content }: OciSeccomp) =>
	createHash('sha256').update(JSON.stringify(content)).digest('hex'),
);

const DEFAULT_MAX_OUTPUT_BYTES = 1024 * 1024;
/** How long a launcher may take to end by itself once its connection is closed. */
const END_TIMEOUT_MS = 2_000;

/** Starts the launcher. UNAVAILABLE when the program cannot be run. Whoever starts it restarts it when it has `ended`. */
export async function startLauncher(options: LauncherOptions): Promise<Launcher> {
	const { binary, instance, log } = options;
	let process: LauncherProcess;
	try {
		process = await spawnLauncher(binary, instance);
	} catch (error) {
		throw unavailable(`Cannot start the launcher ${binary} (build it with make -C runtime/native)`, {
			cause: error,
		});
	}
	const connection = new FrameConnection(process.socket, 'The launcher');
	try {
		await connection.greet();
	} catch (error) {
		process.kill();
		throw error;
	}
	log.debug('launcher started', { pid: process.pid });
	return new LauncherClient(process, connection, instance);
}

class LauncherClient implements Launcher {
	readonly pid: number;
	readonly ended: Promise<string>;
	readonly #process: LauncherProcess;
	readonly #connection: FrameConnection;
	readonly #instance: string;
	readonly #filters = new Map<string, Promise<Buffer>>();

	constructor(process: LauncherProcess, connection: FrameConnection, instance: string) {
		this.pid = process.pid;
		this.ended = Promise.race([process.exited, connection.ended]);
		this.#process = process;
		this.#connection = connection;
		this.#instance = instance;
	}

	async startShim(options: StartShimOptions): Promise<ProcessIdentity> {
		const { sandboxId, socketPath, oomScoreAdj = -998, network = false, signal } = options;
		const body = {
			sandbox_id: sandboxId,
			socket_path: socketPath,
			instance: this.#instance,
			oom_score_adj: oomScoreAdj,
			network: network ? 1 : 0,
		};
		const { pid, start_time } = await explained(`start the shim of sandbox ${sandboxId}`, () =>
			this.#connection.request('START_SHIM', body, 'SHIM_STARTED', signal),
		);
		return { pid, startTime: start_time };
	}

	async run(program: RunProgram, { signal }: CallOptions = {}): Promise<ProgramResult> {
		const { argv, env = [], cwd = '', stdin = new Uint8Array(), timeoutMs, namespaces = [] } = program;
		const outlives = program.outlives ? 1 : 0;
		const max_output = program.maxOutputBytes ?? DEFAULT_MAX_OUTPUT_BYTES;
		const body = { argv, env, cwd, stdin, timeout_ms: timeoutMs, max_output, namespaces, outlives };
		const ran = await explained(`run ${argv[0]}`, () => this.#connection.request('RUN', body, 'RAN', signal));
		return {
			exitCode: ran.exit_code,
			signal: ran.signal,
			timedOut: ran.timed_out === 1,
			truncated: ran.truncated === 1,
			stdout: Buffer.from(ran.stdout),
			stderr: Buffer.from(ran.stderr),
		};
	}

	async compileSeccomp(profile: OciSeccomp): Promise<Buffer> {
		const digest = digestOf(profile);
		const known = this.#filters.get(digest);
		if (known !== undefined) return await known;
		const compiling = this.#compile(profile);
		this.#filters.set(digest, compiling);
		compiling.catch(() => this.#filters.delete(digest));
		return await compiling;
	}

	async #compile(profile: OciSeccomp): Promise<Buffer> {
		const request = seccompRequest(profile);
		const { program } = await explained('compile the seccomp profile', () =>
			this.#connection.request('SECCOMP', request, 'FILTER'),
		);
		return await simplifyFilter(Buffer.from(program));
	}

	async applyNetwork(netnsPath: string, steps: readonly NetStep[]): Promise<readonly NetResult[]> {
		try {
			const body = { netns_path: netnsPath, steps };
			return (await this.#connection.request('NET_APPLY', body, 'NET_APPLIED')).results;
		} catch (error) {
			const step = error instanceof ProtocolError && error.step !== undefined ? steps[error.step] : undefined;
			throw explain(
				step === undefined ? 'apply the network plan' : `apply the network plan: ${step.label}`,
				error,
			);
		}
	}

	async applyFiles(root: string, ops: readonly FsOp[]): Promise<void> {
		for (const batch of batches(ops)) {
			await explained(`write files below ${root}`, () =>
				this.#connection.request('FS_APPLY', { root, ops: batch }, 'OK'),
			);
		}
	}

	async removeTree(path: string): Promise<void> {
		await explained(`remove ${path}`, () => this.#connection.request('TREE_REMOVE', { path }, 'OK'));
	}

	async treeUsage(path: string): Promise<{ bytes: number; inodes: number }> {
		const { bytes, inodes } = await explained(`measure ${path}`, () =>
			this.#connection.request('TREE_USAGE', { path }, 'USAGE'),
		);
		return { bytes: Number(bytes), inodes: Number(inodes) };
	}

	async syncFileSystem(path: string): Promise<void> {
		await explained(`sync the file system of ${path}`, () =>
			this.#connection.request('SYNC_FS', { path }, 'OK'),
		);
	}

	async lockFile(path: string): Promise<void> {
		try {
			await this.#connection.request('LOCK', { path }, 'OK');
		} catch (error) {
			if (!(error instanceof ProtocolError) || (error.errno !== 'EAGAIN' && error.errno !== 'EWOULDBLOCK')) {
				throw explain(`lock ${path}`, error);
			}
			throw failedPrecondition(`${path} is locked: ${error.detail || 'another process holds it'}`, {
				cause: error,
			});
		}
	}

	async teardown(plan: readonly Op[]): Promise<string> {
		const reply = await explained(
			'tear down what a dead shim left',
			() => this.#connection.request('TEARDOWN', { plan: encodePlan(plan) }, 'DELETED'),
			plan,
		);
		return reply.hook_error;
	}

	async enterCgroups(cgroups: readonly { path: string; v2: boolean }[]): Promise<void> {
		const members = cgroups.map(({ path, v2 }) => ({ path, v2: v2 ? 1 : 0 }));
		await explained('move the launcher into its cgroup', () =>
			this.#connection.request('CGROUP_ENTER', { cgroups: members }, 'OK'),
		);
	}

	async close(): Promise<void> {
		this.#connection.close();
		const cut = new AbortController();
		const late = sleep(END_TIMEOUT_MS, 'late', { signal: cut.signal }).catch(() => 'cut');
		if ((await Promise.race([this.#process.exited, late])) === 'late') this.#process.kill();
		cut.abort();
		await this.#process.exited;
	}
}
