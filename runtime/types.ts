/** What the runtime room offers through its door. Ids are opaque here: no pods, no images, no CRI. */
import type { CgroupLayout } from './cgroup/layout.ts';
import type { Surroundings } from './criu/surroundings.ts';
import type { OciProcess, OciResources, OciSpec } from './oci/spec.ts';
import type { Message, Op, Struct } from './shim/codec.ts';

export interface CallOptions {
	readonly signal?: AbortSignal;
}

/** How long one plan step took. `kind` is the name of its operation, or `hooks_createRuntime`: there are few of them. */
export interface StepTiming {
	readonly kind: string;
	readonly elapsedNs: number;
}

/** A process that cannot be mistaken for another one: pid and field 22 of /proc/PID/stat (clock ticks). */
export interface ProcessIdentity {
	readonly pid: number;
	readonly startTime: bigint;
}

export interface ProgramResult {
	readonly exitCode: number;
	/** Number of the signal that ended it, 0 if none. */
	readonly signal: number;
	readonly timedOut: boolean;
	readonly truncated: boolean;
	readonly stdout: Buffer;
	readonly stderr: Buffer;
}

export interface RunProgram {
	readonly argv: readonly string[];
	readonly env?: readonly string[];
	readonly cwd?: string;
	readonly stdin?: Uint8Array;
	readonly timeoutMs: number;
	readonly maxOutputBytes?: number;
	/** Files of namespaces to enter first: `/proc/PID/ns/net`. */
	readonly namespaces?: readonly string[];
	/** It goes on when the launcher or the daemon ends. */
	readonly outlives?: boolean;
}

/** One step of a network plan (see schema.ts, net_step). Encoded by src/network, carried out by C. */
export type NetStep = Struct<'net_step'>;
export type NetResult = Struct<'net_result'>;
export type FsOp = Struct<'fs_op'>;

export interface StartShimOptions extends CallOptions {
	readonly sandboxId: string;
	readonly socketPath: string;
	readonly oomScoreAdj?: number;
	/** The shim makes a network namespace ahead: for the first container that has a new one and no user namespace. */
	readonly network?: boolean;
}

/**
 * The resident launcher: the only process that the daemon starts with child_process. It forks shims, runs
 * programs, and does what Node has no system call for. It ends when the daemon ends; shims do not.
 */
export interface Launcher {
	readonly pid: number;
	/** Settles when the launcher is gone, with the reason. */
	readonly ended: Promise<string>;
	startShim(options: StartShimOptions): Promise<ProcessIdentity>;
	run(program: RunProgram, options?: CallOptions): Promise<ProgramResult>;
	/** Compiles an OCI seccomp profile to struct sock_filter[], simplified; cached by the digest of its content. */
	compileSeccomp(profile: NonNullable<NonNullable<OciSpec['linux']>['seccomp']>): Promise<Buffer>;
	applyNetwork(netnsPath: string, steps: readonly NetStep[]): Promise<readonly NetResult[]>;
	applyFiles(root: string, ops: readonly FsOp[]): Promise<void>;
	removeTree(path: string): Promise<void>;
	treeUsage(path: string): Promise<{ bytes: number; inodes: number }>;
	syncFileSystem(path: string): Promise<void>;
	/** Locks a file (made if it is missing) or a folder. FAILED_PRECONDITION naming the path when another process holds the lock. */
	lockFile(path: string): Promise<void>;
	/** The teardown that a shim would do, when there is none any more. Returns what failed in hooks, '' if nothing. */
	teardown(plan: readonly Op[]): Promise<string>;
	enterCgroups(cgroups: readonly { path: string; v2: boolean }[]): Promise<void>;
	close(): Promise<void>;
}

export type ContainerPhase = 'created' | 'running' | 'stopped';

export interface ExitRecord {
	readonly id: string;
	readonly pid: number;
	readonly exitCode: number;
	readonly signal: number;
	/** Wall clock, nanoseconds since 1970. */
	readonly exitedAtNs: bigint;
}

export interface ShimContainer {
	readonly id: string;
	readonly process: ProcessIdentity;
	readonly phase: ContainerPhase;
	/** Nanoseconds since 1970 of its exec; undefined when it has not begun, or could not. */
	readonly startedAtNs: bigint | undefined;
	readonly exit: ExitRecord | undefined;
}

export interface LogTarget {
	/** Absolute path of the CRI log file. */
	readonly path: string;
	/** Longest line written as one entry, bytes; longer ones are marked P. Default 16384. */
	readonly lineMax?: number;
}

export interface CreateOptions extends CallOptions {
	readonly id: string;
	/** Folder with config.json; `plan.txt` (for people) and `exit` (by the shim) are written beside it. */
	readonly bundle: string;
	readonly spec: OciSpec;
	readonly log?: LogTarget;
	readonly stdin?: boolean;
	readonly stdinOnce?: boolean;
	/** Root file system: an overlay that exists only in the container's mount namespace, or spec.root.path as it is. */
	readonly overlay?: {
		readonly lowers: readonly string[];
		readonly upper: string;
		readonly work: string;
		readonly options?: string;
	};
	/** Namespaces of another container of the same shim, by its id; beats a path in the spec. */
	readonly joins?: readonly {
		readonly type: NonNullable<NonNullable<OciSpec['linux']>['namespaces']>[number]['type'];
		readonly of: string;
	}[];
	/** Binds whose source lies in the mount namespace of another container of this shim (a pod's /dev/shm): destination → its id. */
	readonly mountsOf?: Readonly<Record<string, string>>;
	/**
	 * Mounts of type overlay that show an image, read-only: destination → two or more layers, topmost first, and the
	 * folder of them that is wanted ('' for all). In a user namespace they are idmapped as the root is.
	 */
	readonly images?: Readonly<
		Record<string, { readonly lowers: readonly string[]; readonly subPath: string }>
	>;
	/** Bind namespaces to files on the host, for CNI plug-ins: name as in /proc/PID/ns. Undone by delete. */
	readonly pins?: readonly { readonly name: string; readonly path: string }[];
	/** Runs the program without waiting for start; not with poststart hooks, which belong to start. */
	readonly startAtOnce?: boolean;
	/**
	 * Instead of the spec's program: the processes that `checkpoint` saved, held stopped until start. `folder` is what
	 * `checkpoint` wrote; it is read by create alone.
	 */
	readonly restore?: {
		readonly criu: string;
		readonly folder: string;
		readonly surroundings: Surroundings;
	};
	/** Folders made before the process, removed by delete (upper, work). */
	readonly folders?: readonly {
		readonly path: string;
		readonly mode: number;
		readonly uid?: number;
		readonly gid?: number;
	}[];
}

/** What `prepareCreate` made of the options. */
export interface PreparedCreate {
	readonly options: CreateOptions;
	readonly plan: readonly Op[];
	readonly teardown: readonly Op[];
	readonly request: Message<'CREATE'>;
}

export interface CreatedContainer {
	readonly process: ProcessIdentity;
	readonly timings: readonly StepTiming[];
}

export interface DeleteOptions extends CallOptions {
	/** The teardown plan, when the caller has read it from the bundle. */
	readonly teardown?: readonly Op[];
}

export interface ExecOptions extends CallOptions {
	readonly containerId: string;
	readonly execId: string;
	/** The spec of the container: user, capabilities, labels, seccomp and cgroup are taken from it. */
	readonly spec: OciSpec;
	/** What to run; unset fields as the container's. */
	readonly process: Pick<OciProcess, 'args'> & Partial<OciProcess>;
	readonly timeoutMs?: number;
	readonly stdin?: boolean;
	readonly terminal?: boolean;
	readonly killOnClose?: boolean;
	readonly drainMs?: number;
}

export interface StreamExit {
	readonly exitCode: number;
	readonly signal: number;
	readonly timedOut: boolean;
	readonly exitedAtNs: bigint;
}

/** A connection of its own to the shim. Output stops being read while the consumer is slow. */
export interface ProcessStream extends AsyncDisposable {
	readonly pid: number;
	/** Data is good until the next is asked for: its memory is used again. */
	readonly output: AsyncIterable<{ readonly stream: 'stdout' | 'stderr'; readonly data: Buffer }>;
	readonly exit: Promise<StreamExit>;
	write(data: Uint8Array): Promise<void>;
	closeStdin(): Promise<void>;
	resize(columns: number, rows: number): Promise<void>;
}

/** A TCP connection to a port within a sandbox. Disposed before both sides have ended, the port's end is reset. */
export interface ForwardStream extends AsyncDisposable {
	/** A chunk is good until the next is asked for. Ends at the other side's half-close; throws UNAVAILABLE when the connection broke, FAILED_PRECONDITION when the sandbox ended. */
	readonly output: AsyncIterable<Buffer>;
	/** Settles when there is room for more. */
	write(data: Uint8Array): Promise<void>;
	/** Half-close. Settles when the other side was told, after everything that was written; the output must be read meanwhile. */
	end(): Promise<void>;
}

/** A connection to one shim: the OCI operations on the containers of one sandbox. */
export interface Shim {
	readonly sandboxId: string;
	readonly process: ProcessIdentity;
	/** Settles when the connection is lost, which means that the shim is gone (it never closes first). */
	readonly closed: Promise<void>;
	/** OCI create. FAILED with the step, its label and errno in the message; nothing is left behind on failure. */
	create(options: CreateOptions): Promise<CreatedContainer>;
	/** The same, when everything has been prepared (`prepareCreate`). */
	createPrepared(prepared: PreparedCreate): Promise<CreatedContainer>;
	/** OCI start. NOT_FOUND when the program does not exist, PERMISSION_DENIED… see errors in operations/start.ts. */
	start(id: string, options?: CallOptions): Promise<{ startedAtNs: bigint; timings: readonly StepTiming[] }>;
	/** OCI kill. `all`: every process of the container. A stopped container is fine. */
	kill(id: string, signal: number, options?: { readonly all?: boolean } & CallOptions): Promise<void>;
	/** OCI delete: kills what is left, runs poststop hooks, removes cgroups, pins and folders. Missing is fine. Returns what poststop hooks failed with. */
	delete(id: string, options?: DeleteOptions): Promise<{ hookError: string }>;
	exec(options: ExecOptions): Promise<ProcessStream>;
	attach(
		id: string,
		options: { stdin: boolean; stdout: boolean; stderr: boolean } & CallOptions,
	): Promise<ProcessStream>;
	/**
	 * Connects to a TCP port at 127.0.0.1, or else at ::1, in the network namespace of the sandbox: of the container that
	 * has its id. UNAVAILABLE when nobody listens there, FAILED_PRECONDITION when the sandbox has ended, or its shim is
	 * older than this.
	 */
	forward(port: number, options?: CallOptions): Promise<ForwardStream>;
	list(): Promise<readonly ShimContainer[]>;
	/** Hears of every exit, those that happened before included. Called once, right after connecting. */
	subscribe(onExit: (exit: ExitRecord) => void): Promise<readonly ShimContainer[]>;
	reopenLog(id: string, path: string): Promise<void>;
	resize(id: string, columns: number, rows: number): Promise<void>;
	/** Ends the shim. FAILED_PRECONDITION while it has containers. */
	shutdown(): Promise<void>;
	/** Writes each plan.txt that waits for a quiet moment. */
	writePlans(): void;
	/** Closes the connection only. */
	disconnect(): void;
}

/** What the CRI's lists of stats ask of a cgroup: little enough to be read for hundreds of them. */
export interface CgroupUsage {
	readonly cpu: { readonly usageNs: bigint; readonly pressure?: Pressure };
	readonly memory: {
		readonly usageBytes: bigint;
		readonly workingSetBytes: bigint;
		/** undefined: no limit. */
		readonly limitBytes?: bigint;
		readonly rssBytes: bigint;
		readonly pageFaults: bigint;
		readonly majorPageFaults: bigint;
		/** undefined: the kernel does not account for swap. */
		readonly swapUsageBytes?: bigint;
		/** undefined: no limit. */
		readonly swapLimitBytes?: bigint;
		readonly pressure?: Pressure;
	};
	/** Threads, as the kernel's limit counts them. */
	readonly pids: { readonly current: bigint };
	readonly io: { readonly pressure?: Pressure };
}

/** Everything that the kernel counts for a cgroup. */
export interface CgroupStats extends CgroupUsage {
	readonly cpu: CgroupUsage['cpu'] & {
		readonly userNs: bigint;
		readonly systemNs: bigint;
		readonly throttledPeriods: bigint;
		readonly periods: bigint;
		readonly throttledNs: bigint;
	};
	readonly memory: CgroupUsage['memory'] & {
		readonly cacheBytes: bigint;
		readonly mappedFileBytes: bigint;
		readonly kernelBytes: bigint;
		/** How often the use was about to go beyond the limit. */
		readonly limitHits: bigint;
		/** How often the kernel's OOM killer struck here. */
		readonly oomKills: bigint;
		readonly maxUsageBytes?: bigint;
	};
	readonly pids: CgroupUsage['pids'] & { readonly limit?: bigint };
	readonly io: CgroupUsage['io'] & {
		readonly devices: readonly {
			readonly major: number;
			readonly minor: number;
			readonly readBytes: bigint;
			readonly writeBytes: bigint;
			readonly reads: bigint;
			readonly writes: bigint;
		}[];
	};
	readonly hugetlb: readonly {
		readonly pageSize: string;
		readonly usageBytes: bigint;
		readonly maxUsageBytes: bigint;
	}[];
}

export interface PressureLine {
	readonly avg10: number;
	readonly avg60: number;
	readonly avg300: number;
	readonly totalUs: bigint;
}
export interface Pressure {
	readonly some: PressureLine;
	readonly full: PressureLine;
}

/** The cgroup side of a container, by the OCI cgroupsPath. Same answers for v1 and v2. */
export interface Cgroups {
	readonly version: 1 | 2;
	readonly driver: 'cgroupfs';
	/** Controllers that can be used here. */
	readonly controllers: ReadonlySet<string>;
	/** What is mounted where; launch plans are lowered for it. */
	readonly layout: CgroupLayout;
	/** Throws FAILED_PRECONDITION/INVALID_ARGUMENT naming the resource that cannot be honoured. */
	check(resources: OciResources): void;
	/** In place, all or nothing: what was written before a failing write is put back. */
	update(cgroupsPath: string, resources: OciResources): Promise<void>;
	/** Synchronous: the kernel answers from memory, and one read costs less than the way to a thread and back. */
	usage(cgroupsPath: string): CgroupUsage;
	/** As `usage`, with what is too much for a list. */
	stats(cgroupsPath: string): CgroupStats;
	/** How often the kernel's OOM killer struck in this cgroup. 0 when it is gone. */
	oomKills(cgroupsPath: string): Promise<number>;
	/** Stops every process of the cgroup and below; DEADLINE_EXCEEDED when one does not. Thaw it, whatever this answers. */
	freeze(cgroupsPath: string, options?: CallOptions): Promise<void>;
	/** Lets them go on. A cgroup that is gone is fine. */
	thaw(cgroupsPath: string): void;
	/** The folder of the cgroup in the hierarchy that freezes. */
	freezerFolder(cgroupsPath: string): string;
	/** Processes of the cgroup and below. */
	processes(cgroupsPath: string): Promise<readonly number[]>;
	/** Folders of this cgroup in every hierarchy (doctor, teardown). */
	folders(cgroupsPath: string): readonly string[];
	/** The same, as Launcher.enterCgroups takes them. */
	members(cgroupsPath: string): readonly { readonly path: string; readonly v2: boolean }[];
	/** Cgroups below `parent` (OCI path; `/`: all) whose name satisfies the predicate, as OCI paths. */
	find(parent: string, matches: (name: string) => boolean): Promise<readonly string[]>;
}
