/** Lower limits for processes that run, as an operator sees them. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Takes all descriptors but `more` from a process until it is disposed. */
export class FewDescriptors implements Disposable {
	readonly #pid: number;
	readonly #before: string;

	constructor(pid: number, more = 0) {
		this.#pid = pid;
		this.#before = prlimit(pid, '--output=SOFT', '--noheadings', '--nofile').trim();
		prlimit(pid, `--nofile=${limitThatLeaves(pid, more)}:`);
	}

	[Symbol.dispose](): void {
		prlimit(this.#pid, `--nofile=${this.#before}:`);
	}
}

/** The limit is on the number of a new descriptor, not on how many there are: those above it stay. */
function limitThatLeaves(pid: number, more: number): number {
	const taken = new Set(readdirSync(`/proc/${pid}/fd`).map(Number));
	let limit = 0;
	for (let free = 0; free <= more; limit++) if (!taken.has(limit)) free++;
	return limit - 1;
}

const prlimit = (pid: number, ...args: string[]): string =>
	execFileSync('prlimit', ['--pid', String(pid), ...args], { encoding: 'utf8' });

/** No more processes than there are now, in a cgroup and below it, until it is disposed. */
export class FewProcesses implements Disposable {
	readonly #file: string;
	readonly #before: string;
	/** A process may join a full cgroup of v1 from outside: only what it forks there is counted. */
	readonly refusesJoining: boolean;

	/** `cgroup` is a path in the hierarchy. */
	constructor(cgroup: string) {
		const folders = ['/sys/fs/cgroup/pids', '/sys/fs/cgroup'].map((root) => join(root, cgroup));
		const folder = folders.find((path) => existsSync(join(path, 'pids.max')));
		if (folder === undefined) throw new Error(`there is no cgroup ${cgroup} with pids.max`);
		this.refusesJoining = existsSync(join(folder, 'cgroup.controllers'));
		this.#file = join(folder, 'pids.max');
		this.#before = readFileSync(this.#file, 'utf8');
		writeFileSync(this.#file, readFileSync(join(folder, 'pids.current'), 'utf8'));
	}

	[Symbol.dispose](): void {
		writeFileSync(this.#file, this.#before);
	}
}

/** A cgroup that holds its processes to so much memory, page cache included. */
export class MemoryLimit implements Disposable {
	readonly #folder: string;
	/** Where this process is without it. */
	readonly #home: string;
	readonly #isV1 = existsSync('/sys/fs/cgroup/memory');

	constructor(name: string, bytes: number) {
		const root = this.#isV1 ? '/sys/fs/cgroup/memory' : '/sys/fs/cgroup';
		const own = readFileSync('/proc/self/cgroup', 'utf8').match(this.#isV1 ? /:memory:(.*)/ : /^0::(.*)/m);
		this.#home = join(root, own?.[1] ?? '');
		this.#folder = join(root, name);
		if (!this.#isV1) writeFileSync(join(root, 'cgroup.subtree_control'), '+memory');
		mkdirSync(this.#folder);
		writeFileSync(join(this.#folder, this.#isV1 ? 'memory.limit_in_bytes' : 'memory.max'), String(bytes));
	}

	/** What `start` starts is in the cgroup; this process is only meanwhile. */
	async within(start: () => Promise<void>): Promise<void> {
		writeFileSync(join(this.#folder, 'cgroup.procs'), '0');
		try {
			await start();
		} finally {
			writeFileSync(join(this.#home, 'cgroup.procs'), '0');
		}
	}

	/** How many processes were killed because of it. */
	get kills(): number {
		const text = readFileSync(
			join(this.#folder, this.#isV1 ? 'memory.oom_control' : 'memory.events'),
			'utf8',
		);
		return Number(/^oom_kill (\d+)$/m.exec(text)?.[1]);
	}

	[Symbol.dispose](): void {
		rmdirSync(this.#folder);
	}
}
