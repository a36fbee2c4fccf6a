/** Lower limits for processes that run, as an operator sees them. */
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';

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
