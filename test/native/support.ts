/** A real launcher and shim, driven over their sockets, with a root file system of busybox. Needs root. */
import { type ChildProcess, spawn } from 'node:child_process';
import {
	chmodSync,
	copyFileSync,
	existsSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	symlinkSync,
	writeFileSync,
} from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
	encodeFrame,
	encodePlan,
	type Frame,
	FrameDecoder,
	type Message,
	type MessageName,
	type Op,
} from '../../runtime/shim/codec.ts';
import { PROTOCOL_VERSION } from '../../runtime/shim/schema.ts';

const SHIM =
	process.env.GANTRY_SHIM ?? new URL('../../runtime/native/build/gantry-shim', import.meta.url).pathname;
/** Test files run at the same time: each has names of its own. */
export const INSTANCE = `nt${process.pid}`;

export const CLONE = {
	NEWNS: 0x20000,
	CGROUP: 0x2000000,
	UTS: 0x4000000,
	IPC: 0x8000000,
	USER: 0x10000000,
	PID: 0x20000000,
	NET: 0x40000000,
};
export const MS = {
	RDONLY: 1n,
	NOSUID: 2n,
	NODEV: 4n,
	NOEXEC: 8n,
	REC: 16384n,
	PRIVATE: 1n << 18n,
	SLAVE: 1n << 19n,
	SHARED: 1n << 20n,
};

type Body<N extends MessageName> = Extract<Frame, { type: N }>['body'];
/** A refused request, as the C side told it. */
export class Refused extends Error {
	readonly errno: number;
	readonly step: number;
	readonly op: number;
	constructor(body: Body<'ERROR'>) {
		super(`${body.detail} (errno ${body.errno}, step ${body.step}, op ${body.op})`);
		this.errno = body.errno;
		this.step = body.step;
		this.op = body.op;
	}
}

/** One connection: requests are answered in order of their ids, everything else is kept in `events`. */
export class Connection {
	readonly #socket: Socket;
	readonly #decoder = new FrameDecoder();
	readonly #waiting = new Map<number, (frame: Frame) => void>();
	readonly #wakers = new Set<() => void>();
	readonly events: Frame[] = [];
	#next = 1;
	closed = false;

	constructor(socket: Socket) {
		this.#socket = socket;
		socket.on('data', (chunk: Buffer) => {
			for (const frame of this.#decoder.push(chunk)) this.#take(frame);
		});
		socket.on('error', () => {});
		socket.on('close', () => {
			this.closed = true;
			this.#wake();
		});
	}
	#take(frame: Frame): void {
		const waiter = this.#waiting.get(frame.requestId);
		if (frame.requestId !== 0 && waiter) {
			this.#waiting.delete(frame.requestId);
			waiter(frame);
		} else this.events.push(frame);
		this.#wake();
	}
	#wake(): void {
		for (const waker of this.#wakers) waker();
	}
	send<N extends MessageName>(type: N, body: Message<N>, id = this.#next++): number {
		this.#socket.write(encodeFrame(type, id, body));
		return id;
	}
	async ask<N extends MessageName>(type: N, body: Message<N>): Promise<Frame> {
		const id = this.#next++;
		const { promise, resolve } = Promise.withResolvers<Frame>();
		this.#waiting.set(id, resolve);
		this.send(type, body, id);
		const gone = this.until(() => this.closed || undefined).then(() => {
			throw new Error(`the connection closed before ${type} was answered`);
		});
		gone.catch(() => {});
		const frame = await Promise.race([promise, gone]);
		if (frame.type === 'ERROR') throw new Refused(frame.body);
		return frame;
	}
	async call<N extends MessageName, R extends MessageName>(
		type: N,
		body: Message<N>,
		reply: R,
	): Promise<Body<R>> {
		const frame = await this.ask(type, body);
		if (frame.type !== reply) throw new Error(`${type} was answered ${frame.type}`);
		return frame.body as Body<R>;
	}
	/** Waits until `look` finds something. */
	until<T>(look: () => T | undefined): Promise<T> {
		return new Promise((resolve) => {
			const check = () => {
				const found = look();
				if (found === undefined) return;
				this.#wakers.delete(check);
				resolve(found);
			};
			this.#wakers.add(check);
			check();
		});
	}
	exited(id: string): Promise<Body<'EXITED'>> {
		return this.until(
			() =>
				this.events.find((frame) => frame.type === 'EXITED' && frame.body.id === id)?.body as
					| Body<'EXITED'>
					| undefined,
		);
	}
	/** All output of a stream so far. */
	output(stream: number): string {
		const parts = this.events
			.filter((frame) => frame.type === 'OUTPUT' && frame.body.stream === stream)
			.map((frame) => (frame.body as Body<'OUTPUT'>).data);
		return Buffer.concat(parts).toString('utf8');
	}
	pause(): void {
		this.#socket.pause();
	}
	resume(): void {
		this.#socket.resume();
	}
	close(): void {
		this.#socket.destroy();
	}
}

export async function dial(path: string): Promise<Connection> {
	const connection = new Connection(connect(path));
	await connection.call('HELLO', { version: PROTOCOL_VERSION }, 'WELCOME');
	return connection;
}

/** A shim of its own with everything around it; `close` proves that nothing is left. */
export class Fixture {
	readonly folder = mkdtempSync(join(tmpdir(), 'gantry-native-'));
	readonly rootfs = join(this.folder, 'rootfs');
	readonly socketPath = join(this.folder, 'shim.sock');
	readonly #launcher: ChildProcess;
	control!: Connection;
	launcher!: Connection;
	shimPid = 0;
	#created = new Set<string>();

	private constructor() {
		this.#launcher = spawn(SHIM, ['launcher'], { stdio: ['ignore', 'inherit', 'inherit', 'pipe'] });
	}
	static async open(): Promise<Fixture> {
		const fixture = new Fixture();
		makeRootfs(fixture.rootfs);
		const launcher = new Connection(fixture.#launcher.stdio[3] as unknown as Socket);
		fixture.launcher = launcher;
		await launcher.call('HELLO', { version: PROTOCOL_VERSION }, 'WELCOME');
		const started = await launcher.call(
			'START_SHIM',
			{
				sandbox_id: 'sandbox',
				socket_path: fixture.socketPath,
				instance: INSTANCE,
				oom_score_adj: 0,
				network: 0,
			},
			'SHIM_STARTED',
		);
		fixture.shimPid = started.pid;
		fixture.control = await dial(fixture.socketPath);
		await fixture.control.call('SUBSCRIBE', {}, 'LISTED');
		return fixture;
	}
	dial(): Promise<Connection> {
		return dial(this.socketPath);
	}
	containerFolder(id: string): string {
		const folder = join(this.folder, id);
		mkdirSync(folder, { recursive: true });
		return folder;
	}
	logPath(id: string): string {
		return join(this.containerFolder(id), 'log');
	}
	log(id: string): string {
		return readFileSync(this.logPath(id), 'utf8');
	}
	async create(
		id: string,
		plan: readonly Op[],
		options: Partial<Message<'CREATE'>> = {},
	): Promise<Body<'CREATED'>> {
		this.#created.add(id);
		return this.control.call(
			'CREATE',
			{
				id,
				folder: this.containerFolder(id),
				log_path: this.logPath(id),
				log_line_max: 0,
				terminal: 0,
				stdin: 0,
				stdin_once: 0,
				plan: encodePlan(plan),
				...options,
			},
			'CREATED',
		);
	}
	start(id: string): Promise<Body<'STARTED'>> {
		return this.control.call('START', { id }, 'STARTED');
	}
	delete(id: string, plan: readonly Op[] = teardown(id)): Promise<Body<'DELETED'>> {
		this.#created.delete(id);
		return this.control.call('DELETE', { id, plan: encodePlan(plan) }, 'DELETED');
	}
	/** Creates, starts, waits for the exit, and answers it; the container stays for `delete`. */
	async run(
		id: string,
		plan: readonly Op[],
		options: Partial<Message<'CREATE'>> = {},
	): Promise<Body<'EXITED'>> {
		await this.create(id, plan, options);
		await this.start(id);
		return this.control.exited(id);
	}
	async exec(
		id: string,
		execId: string,
		plan: readonly Op[],
		options: Partial<Message<'EXEC'>> = {},
	): Promise<Connection> {
		const connection = await this.dial();
		await connection.call(
			'EXEC',
			{ id, exec_id: execId, flags: 0, timeout_ms: 0, drain_ms: 500, plan: encodePlan(plan), ...options },
			'EXEC_STARTED',
		);
		return connection;
	}
	/** Children of the shim that are still there. */
	children(): number[] {
		return readdirSync('/proc')
			.filter((name) => /^\d+$/.test(name))
			.filter((pid) => parentOf(pid) === this.shimPid)
			.map(Number);
	}
	/** Cleans up after a shim that was killed, as the daemon would: by the launcher. */
	async abandon(...ids: string[]): Promise<void> {
		for (const id of ids) await this.launcher.call('TEARDOWN', { plan: encodePlan(teardown(id)) }, 'DELETED');
		await this.#end();
	}
	async close(): Promise<void> {
		/* What a failed test has left, so that the next run starts clean; what it tells is the test's own error. */
		const { containers } = await this.control.call('LIST', {}, 'LISTED');
		for (const id of new Set([...this.#created, ...containers.map(({ id }) => id)]))
			await this.delete(id).catch(() => {});
		await this.control.call('SHUTDOWN', {}, 'OK');
		await this.control.until(() => this.control.closed || undefined);
		await this.#end();
	}
	async #end(): Promise<void> {
		while (existsSync(`/proc/${this.shimPid}`)) await new Promise((resolve) => setTimeout(resolve, 5));
		const exited = new Promise((resolve) => this.#launcher.once('exit', resolve));
		(this.#launcher.stdio[3] as unknown as Socket).destroy();
		await exited;
		const mounts = readFileSync('/proc/self/mounts', 'utf8')
			.split('\n')
			.filter((line) => line.includes(this.folder));
		const groups = CGROUPS.flatMap(({ root }) =>
			readdirSync(root).filter((name) => name.startsWith(`${INSTANCE}-`)),
		);
		rmSync(this.folder, { recursive: true, force: true });
		if (mounts.length > 0) throw new Error(`mounts are left:\n${mounts.join('\n')}`);
		if (groups.length > 0) throw new Error(`cgroups are left: ${groups.join(' ')}`);
	}
}

function parentOf(pid: string): number | undefined {
	try {
		return Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[1]);
	} catch {
		return undefined;
	}
}

const APPLETS = [
	'sh',
	'cat',
	'echo',
	'ls',
	'id',
	'sleep',
	'mount',
	'stat',
	'tty',
	'stty',
	'ps',
	'env',
	'kill',
	'true',
	'touch',
	'head',
	'dd',
	'yes',
	'hostname',
	'readlink',
	'test',
	'grep',
	'wc',
	'seq',
	'mkdir',
	'date',
	'printf',
	'setsid',
	'chmod',
	'cut',
	'tr',
	'pwd',
];

function makeRootfs(folder: string): void {
	for (const name of ['bin', 'dev', 'proc', 'sys', 'tmp', 'etc', 'home', 'run'])
		mkdirSync(join(folder, name), { recursive: true });
	chmodSync(folder, 0o755);
	copyFileSync('/bin/busybox', join(folder, 'bin/busybox'));
	chmodSync(join(folder, 'bin/busybox'), 0o755);
	for (const applet of APPLETS) symlinkSync('busybox', join(folder, 'bin', applet));
	writeFileSync(join(folder, 'etc/passwd'), 'root:x:0:0:root:/:/bin/sh\n');
}

/** Where cgroups of this machine can be made: every v1 hierarchy of two, and v2. */
export const CGROUPS = [
	{ root: '/sys/fs/cgroup/pids', v2: 0 },
	{ root: '/sys/fs/cgroup/cpuset', v2: 0 },
	{ root: '/sys/fs/cgroup/unified', v2: 1 },
	{ root: '/sys/fs/cgroup', v2: 1 },
].filter(({ root }) => existsSync(join(root, 'cgroup.procs')));

export const cgroupsOf = (id: string) =>
	CGROUPS.map(({ root, v2 }) => ({ path: `${root}/${INSTANCE}-${id}`, v2 }));

export const teardown = (id: string): Op[] => [
	...cgroupsOf(id).map(({ path, v2 }): Op => ({ op: 'cgroup_kill', path, v2, timeout_ms: 5000 })),
	...cgroupsOf(id).map(({ path }): Op => ({ op: 'cgroup_remove', path, timeout_ms: 5000 })),
];

export interface PlanOptions {
	readonly rootfs: string;
	readonly id: string;
	readonly argv: readonly string[];
	readonly env?: readonly string[];
	readonly namespaces?: number;
	readonly spawn?: Partial<Extract<Op, { op: 'spawn' }>>;
	/** Right after spawn. */
	readonly first?: readonly Op[];
	readonly root?: readonly Op[];
	/** After the usual mounts, before pivot. */
	readonly mounts?: readonly Op[];
	/** After pivot. */
	readonly inside?: readonly Op[];
	/** After wait_start. */
	readonly late?: readonly Op[];
	readonly last?: readonly Op[];
}

export const bind = (
	source: string,
	target: string,
	more: Partial<Extract<Op, { op: 'mount_bind' }>> = {},
): Op => ({
	op: 'mount_bind',
	source,
	target,
	of: '',
	recursive: 0,
	set: 0n,
	clear: 0n,
	recursive_readonly: 0,
	propagation: 0n,
	uid_map: [],
	gid_map: [],
	...more,
});
export const mountFs = (fstype: string, target: string, flags = 0n, data = ''): Op => ({
	op: 'mount_fs',
	fstype,
	source: fstype,
	target,
	flags,
	data,
	propagation: 0n,
});
export const hooks = (phase: number, script: string, timeout_ms = 0): Op => ({
	op: 'hooks',
	phase,
	hooks: [
		{ path: '/bin/sh', args: ['sh', '-c', script], env: ['PATH=/bin:/usr/bin', 'HOOK=yes'], timeout_ms },
	],
	state_head: '{"ociVersion":"1.2.0","pid":',
	state_tail: ',"bundle":"/b"}',
});

export function plan({
	rootfs,
	id,
	argv,
	env = ['PATH=/bin'],
	namespaces,
	spawn = {},
	first = [],
	root,
	mounts = [],
	inside = [],
	late = [],
	last = [],
}: PlanOptions): Op[] {
	return [
		...cgroupsOf(id).map(({ path }): Op => ({ op: 'cgroup_make', path })),
		{
			op: 'spawn',
			new_namespaces:
				namespaces ?? CLONE.NEWNS | CLONE.PID | CLONE.IPC | CLONE.UTS | CLONE.NET | CLONE.CGROUP,
			joins: [],
			uid_map: [],
			gid_map: [],
			cgroups: cgroupsOf(id),
			set_oom_score_adj: 1,
			oom_score_adj: 500,
			...spawn,
		},
		...first,
		{ op: 'propagation', flags: MS.SLAVE | MS.REC },
		...(root ?? [{ op: 'root_bind', source: rootfs, target: rootfs, readonly: 0 } as Op]),
		mountFs('proc', '/proc', MS.NOSUID | MS.NODEV | MS.NOEXEC),
		mountFs('tmpfs', '/dev', MS.NOSUID, 'mode=755,size=65536k'),
		mountFs('devpts', '/dev/pts', MS.NOSUID | MS.NOEXEC, 'newinstance,ptmxmode=0666,mode=0620'),
		{ op: 'make_device', path: '/dev/null', mode: 0o020666, device: 259n, uid: 0, gid: 0 },
		{ op: 'make_symlink', path: '/dev/stdout', content: '/proc/self/fd/1' },
		...mounts,
		{ op: 'pivot', no_pivot: 0 },
		...inside,
		{ op: 'wait_start' },
		...late,
		{ op: 'exec', argv, env },
		...last,
	];
}

export const execPlan = (
	id: string,
	argv: readonly string[],
	more: readonly Op[] = [],
	types: readonly number[] = [CLONE.NEWNS, CLONE.PID, CLONE.IPC, CLONE.UTS, CLONE.NET, CLONE.CGROUP],
): Op[] => [
	{
		op: 'spawn',
		new_namespaces: 0,
		joins: types.map((type) => ({ type, path: '', of: id })),
		uid_map: [],
		gid_map: [],
		cgroups: cgroupsOf(id),
		set_oom_score_adj: 0,
		oom_score_adj: 0,
	},
	...more,
	{ op: 'exec', argv, env: ['PATH=/bin'] },
];
