/** A real launcher, real shims and a busybox root file system, on folders and cgroups of their own. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { silentLog } from '#base/log.ts';
import {
	type Cgroups,
	type CreateOptions,
	connectShim,
	type ExecOptions,
	type ExitRecord,
	type Launcher,
	nativeBinary,
	type OciLinux,
	type OciMount,
	type OciProcess,
	type OciSpec,
	openCgroups,
	type ProcessStream,
	type Shim,
	startLauncher,
} from '#runtime';

export const SHIM_BINARY = process.env.GANTRY_SHIM ?? nativeBinary('gantry-shim');
const APPLETS =
	'sh cat cp ls echo id sleep true false stat mkdir touch tty stty readlink hostname head dd unshare umount mount kill ps test env pwd mknod find wc tr grep sed chmod chown ln rm seq yes ulimit'.split(
		' ',
	);

export const MOUNTS: readonly OciMount[] = [
	{ destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
	{ destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'strictatime', 'mode=755'] },
	{
		destination: '/dev/pts',
		type: 'devpts',
		source: 'devpts',
		options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620'],
	},
	{ destination: '/tmp', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=1777'] },
];

/** Everything that root has by default in a container. */
export const CAPABILITIES = [
	'CAP_CHOWN',
	'CAP_DAC_OVERRIDE',
	'CAP_FOWNER',
	'CAP_KILL',
	'CAP_MKNOD',
	'CAP_SETGID',
	'CAP_SETUID',
	'CAP_SYS_CHROOT',
];

export interface SpecParts extends Omit<Partial<OciSpec>, 'linux' | 'process'> {
	readonly linux?: OciLinux;
	readonly process?: Partial<OciProcess>;
}

export interface Made {
	readonly id: string;
	readonly shim: Shim;
	readonly options: CreateOptions;
	/** Settles when the process has ended. */
	readonly exit: Promise<ExitRecord>;
	/** The log's content, without times and tags, by stream. */
	log(): Promise<{ stdout: string; stderr: string }>;
}

export class Machine implements AsyncDisposable {
	readonly folder: string;
	readonly instance: string;
	readonly launcher: Launcher;
	readonly cgroups: Cgroups;
	readonly #shims: Shim[] = [];
	readonly #waiting = new Map<string, PromiseWithResolvers<ExitRecord>>();
	#counter = 0;

	private constructor(folder: string, instance: string, launcher: Launcher, cgroups: Cgroups) {
		this.folder = folder;
		this.instance = instance;
		this.launcher = launcher;
		this.cgroups = cgroups;
	}

	static async open(): Promise<Machine> {
		const instance = `rt${randomBytes(3).toString('hex')}`;
		const folder = await mkdtemp(join(tmpdir(), `${instance}-`));
		await installBusybox(join(folder, 'image'));
		const launcher = await startLauncher({ binary: SHIM_BINARY, instance, log: silentLog });
		return new Machine(folder, instance, launcher, await openCgroups());
	}

	bundleOf(id: string): string {
		return join(this.folder, 'containers', id, 'bundle');
	}

	/** A new shim, connected. */
	async shim(): Promise<Shim> {
		const sandboxId = `s${++this.#counter}`;
		const socketPath = join(this.folder, `${sandboxId}.sock`);
		const expected = await this.launcher.startShim({ sandboxId, socketPath });
		return await this.connect(socketPath, expected);
	}

	async connect(socketPath: string, expected: Shim['process']): Promise<Shim> {
		const shim = await connectShim({
			socketPath,
			expected,
			launcher: this.launcher,
			cgroups: this.cgroups,
			log: silentLog,
			instance: this.instance,
			bundleOf: (id) => this.bundleOf(id),
		});
		await shim.subscribe((exit) => this.#waiter(exit.id).resolve(exit));
		this.#shims.push(shim);
		return shim;
	}

	/** A small spec: a shell line in pid, mount, ipc, uts and cgroup namespaces of its own. */
	spec(command: string, parts: SpecParts = {}): OciSpec {
		return {
			ociVersion: '1.2.0',
			root: { path: 'rootfs' },
			mounts: MOUNTS,
			...parts,
			process: {
				cwd: '/',
				args: ['/bin/sh', '-c', command],
				env: ['PATH=/bin'],
				user: { uid: 0, gid: 0 },
				capabilities: { bounding: CAPABILITIES, effective: CAPABILITIES, permitted: CAPABILITIES },
				...parts.process,
			},
			linux: {
				namespaces: (['pid', 'mount', 'ipc', 'uts', 'cgroup'] as const).map((type) => ({ type })),
				...parts.linux,
			},
		};
	}

	/** Creates a container with a fresh writable layer over the busybox image. */
	async create(shim: Shim, spec: OciSpec, more: Partial<CreateOptions> = {}): Promise<Made> {
		const id = more.id ?? `c${++this.#counter}`;
		const options = this.#options(id, spec, more);
		await mkdir(dirname(options.bundle), { recursive: true });
		await shim.create(options);
		return this.#made(shim, options);
	}

	#options(id: string, spec: OciSpec, more: Partial<CreateOptions>): CreateOptions {
		const layer = join(this.folder, 'layers', id);
		const owner = spec.linux?.uidMappings?.[0]?.hostID ?? 0;
		return {
			id,
			bundle: this.bundleOf(id),
			spec,
			log: { path: join(this.folder, `${id}.log`) },
			overlay: {
				lowers: [join(this.folder, 'image')],
				upper: join(layer, 'upper'),
				work: join(layer, 'work'),
			},
			folders: [
				{ path: join(this.folder, 'layers'), mode: 0o755 },
				{ path: layer, mode: 0o755 },
				{ path: join(layer, 'upper'), mode: 0o755, uid: owner, gid: owner },
				{ path: join(layer, 'work'), mode: 0o755, uid: owner, gid: owner },
			].slice(existsSync(join(this.folder, 'layers')) ? 1 : 0),
			...more,
		};
	}

	#made(shim: Shim, options: CreateOptions): Made {
		return {
			id: options.id,
			shim,
			options,
			exit: this.#waiter(options.id).promise,
			log: async () => parseLog(await readFile(options.log?.path ?? '', 'utf8')),
		};
	}

	/** Creates, starts, waits, deletes; returns how it ended and what it said. */
	async run(shim: Shim, spec: OciSpec, more: Partial<CreateOptions> = {}) {
		const made = await this.create(shim, spec, more);
		await shim.start(made.id);
		const exit = await made.exit;
		const { stdout, stderr } = await made.log();
		await shim.delete(made.id);
		return { exitCode: exit.exitCode, signal: exit.signal, stdout, stderr };
	}

	/** A container that does nothing until it is killed. */
	async idle(shim: Shim, parts: SpecParts = {}, more: Partial<CreateOptions> = {}): Promise<Made> {
		const made = await this.create(shim, this.spec('exec sleep 1000', parts), more);
		await shim.start(made.id);
		return made;
	}

	/** Runs a process in a container to its end. */
	async exec(made: Made, args: readonly string[], more: Partial<ExecOptions> = {}) {
		const execId = `e${++this.#counter}`;
		const { spec } = made.options;
		await using stream = await made.shim.exec({
			containerId: made.id,
			execId,
			spec,
			process: { args },
			...more,
		});
		return await drain(stream);
	}

	/** Everything that is left of our instance on the machine. */
	async leftovers(): Promise<string[]> {
		const cgroups = await this.cgroups.find('/', (name) => name.startsWith(this.instance));
		const mounts = (await readFile('/proc/self/mounts', 'utf8'))
			.split('\n')
			.filter((line) => line.includes(this.folder));
		const layers = await readdir(join(this.folder, 'layers')).catch(() => []);
		return [...cgroups.filter((path) => path !== `/${this.instance}`), ...mounts, ...layers];
	}

	/** Ends everything, and fails if anything of ours is left. */
	async [Symbol.asyncDispose](): Promise<void> {
		const failures: unknown[] = [];
		for (const shim of this.#shims) await endShim(shim).catch((error: unknown) => failures.push(error));
		failures.push(...(await this.leftovers()));
		const parents = this.cgroups.folders(`/${this.instance}`);
		await this.launcher.teardown(
			parents.map((path) => ({ op: 'cgroup_remove', path, timeout_ms: 1000 }) as const),
		);
		await this.launcher.close();
		await rm(this.folder, { recursive: true });
		assert.deepEqual(failures, []);
	}

	#waiter(id: string): PromiseWithResolvers<ExitRecord> {
		const waiter = this.#waiting.get(id) ?? Promise.withResolvers<ExitRecord>();
		this.#waiting.set(id, waiter);
		return waiter;
	}
}

/** Deletes what is in a shim and ends it; a shim that is gone already is fine. */
async function endShim(shim: Shim): Promise<void> {
	try {
		for (const { id } of await shim.list()) await shim.delete(id);
		await shim.shutdown();
	} catch (error) {
		if ((error as { condition?: string }).condition === 'UNAVAILABLE') return;
		process.kill(shim.process.pid, 'SIGKILL');
		throw error;
	}
}

/** Waits for something that nothing announces. Fails after 20 s, so that no test hangs. */
export async function until(what: string, holds: () => Promise<boolean> | boolean): Promise<void> {
	const end = performance.now() + 20_000;
	while (!(await holds())) {
		assert.ok(performance.now() < end, `waited in vain: ${what}`);
		await sleep(10);
	}
}

/** Reads a stream to its end. */
export async function drain(stream: ProcessStream) {
	const output = { stdout: '', stderr: '' };
	for await (const { stream: name, data } of stream.output) output[name] += data.toString();
	return { ...output, ...(await stream.exit) };
}

function parseLog(text: string) {
	const output = { stdout: '', stderr: '' };
	for (const line of text.split('\n').filter((each) => each !== '')) {
		const match = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}\S+ (stdout|stderr) ([PF]) ([^\n]*)$/.exec(line);
		assert.ok(match, `no CRI log line: ${line}`);
		output[match[1] as 'stdout' | 'stderr'] += `${match[3]}${match[2] === 'F' ? '\n' : ''}`;
	}
	return output;
}

async function installBusybox(image: string): Promise<void> {
	for (const folder of ['bin', 'etc', 'proc', 'sys', 'dev', 'tmp'])
		await mkdir(join(image, folder), { recursive: true });
	await chmod(image, 0o755);
	await copyFile('/bin/busybox', join(image, 'bin/busybox'));
	await chmod(join(image, 'bin/busybox'), 0o755);
	for (const applet of APPLETS) await symlink('busybox', join(image, 'bin', applet));
	await writeFile(join(image, 'etc/passwd'), 'root:x:0:0::/:/bin/sh\n');
}
