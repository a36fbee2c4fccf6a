import { failedPrecondition } from '#base/errors.ts';
import type { Log } from '#base/log.ts';
import { attachToContainer } from '../operations/attach.ts';
import type { MadeContainer, ShimContext } from '../operations/context.ts';
import { createContainer, prepareCreate } from '../operations/create.ts';
import { deleteContainer } from '../operations/delete.ts';
import { execInContainer } from '../operations/exec.ts';
import { forwardToPort } from '../operations/forward.ts';
import { killContainer } from '../operations/kill.ts';
import { startContainer } from '../operations/start.ts';
import { containersOf, exitOf, listContainers } from '../operations/state.ts';
import type {
	CallOptions,
	Cgroups,
	CreatedContainer,
	CreateOptions,
	DeleteOptions,
	ExecOptions,
	ExitRecord,
	ForwardStream,
	Launcher,
	PreparedCreate,
	ProcessIdentity,
	ProcessStream,
	Shim,
	ShimContainer,
} from '../types.ts';
import { openConnection, type ProtocolVersions } from './connection.ts';
import { explain, explained, ProtocolError } from './errors.ts';

export interface ConnectOptions {
	readonly socketPath: string;
	/** Who must answer: another process at this socket is refused. */
	readonly expected?: ProcessIdentity;
	readonly launcher: Launcher;
	readonly cgroups: Cgroups;
	readonly log: Log;
	/** Names the default cgroup of a container. Default `gantry`. */
	readonly instance?: string;
	/** Versions of the protocol that are spoken; by default those of this program. */
	readonly versions?: ProtocolVersions;
	/** Where the bundle of a container is, for containers that were made before this connection. */
	readonly bundleOf?: (id: string) => string | undefined;
}

/** Connects to a shim. UNAVAILABLE when it is gone, FAILED_PRECONDITION when somebody else or none of our versions answers. */
export async function connectShim(options: ConnectOptions): Promise<Shim> {
	const { socketPath, expected, launcher, cgroups, log, instance = 'gantry' } = options;
	const { connection, welcome } = await openConnection(
		socketPath,
		`The shim at ${socketPath}`,
		options.versions,
	);
	const identity = { pid: welcome.pid, startTime: welcome.start_time };
	if (
		expected !== undefined &&
		(expected.pid !== identity.pid || expected.startTime !== identity.startTime)
	) {
		connection.close();
		throw failedPrecondition(
			`At ${socketPath} process ${identity.pid} answers where the shim of pid ${expected.pid} was expected: that shim is gone`,
		);
	}
	const made = new Map<string, MadeContainer>();
	const context: ShimContext = {
		sandboxId: welcome.sandbox_id,
		instance,
		socketPath,
		connection,
		launcher,
		cgroups,
		log,
		made,
		bundleOf: (id) => made.get(id)?.bundle ?? options.bundleOf?.(id),
	};
	return new ShimClient(context, identity);
}

class ShimClient implements Shim {
	readonly sandboxId: string;
	readonly process: ProcessIdentity;
	readonly closed: Promise<void>;
	readonly #context: ShimContext;

	constructor(context: ShimContext, process: ProcessIdentity) {
		this.#context = context;
		this.sandboxId = context.sandboxId;
		this.process = process;
		this.closed = context.connection.ended.then(() => {});
	}

	async create(options: CreateOptions): Promise<CreatedContainer> {
		return await createContainer(this.#context, await prepareCreate(this.#context, options));
	}

	createPrepared(prepared: PreparedCreate): Promise<CreatedContainer> {
		return createContainer(this.#context, prepared);
	}

	start(id: string, options?: CallOptions) {
		return startContainer(this.#context, id, options);
	}

	kill(id: string, signal: number, options?: { readonly all?: boolean } & CallOptions): Promise<void> {
		return killContainer(this.#context, id, signal, options);
	}

	delete(id: string, options?: DeleteOptions): Promise<{ hookError: string }> {
		return deleteContainer(this.#context, id, options);
	}

	exec(options: ExecOptions): Promise<ProcessStream> {
		return execInContainer(this.#context, options);
	}

	attach(
		id: string,
		options: { stdin: boolean; stdout: boolean; stderr: boolean } & CallOptions,
	): Promise<ProcessStream> {
		return attachToContainer(this.#context, id, options);
	}

	forward(port: number, options?: CallOptions): Promise<ForwardStream> {
		return forwardToPort(this.#context, port, options);
	}

	list(): Promise<readonly ShimContainer[]> {
		return listContainers(this.#context);
	}

	async subscribe(onExit: (exit: ExitRecord) => void): Promise<readonly ShimContainer[]> {
		const { connection } = this.#context;
		connection.onFrame((frame) => {
			if (frame.type === 'EXITED') onExit(exitOf(frame.body));
		});
		const containers = containersOf(await connection.request('SUBSCRIBE', {}, 'LISTED'));
		for (const { exit } of containers) if (exit !== undefined) onExit(exit);
		return containers;
	}

	async reopenLog(id: string, path: string): Promise<void> {
		await explained(`reopen the log ${path} of container ${id}`, () =>
			this.#context.connection.request('REOPEN_LOG', { id, log_path: path }, 'OK'),
		);
	}

	async resize(id: string, columns: number, rows: number): Promise<void> {
		await explained(`resize the terminal of container ${id}`, () =>
			this.#context.connection.request('RESIZE', { id, columns, rows }, 'OK'),
		);
	}

	async shutdown(): Promise<void> {
		try {
			await this.#context.connection.request('SHUTDOWN', {}, 'OK');
		} catch (error) {
			if (error instanceof ProtocolError && error.errno === 'EBUSY') {
				throw failedPrecondition(`Cannot end the shim of ${this.sandboxId}: it has containers`, {
					cause: error,
				});
			}
			throw explain(`end the shim of ${this.sandboxId}`, error);
		}
	}

	writePlans(): void {
		for (const { file } of this.#context.made.values()) file.flush();
	}

	disconnect(): void {
		this.writePlans();
		this.#context.connection.close();
	}
}
