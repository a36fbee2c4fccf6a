import { readFileSync, readlinkSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import type { Turn } from '#base/turns.ts';

export interface ProcessCounts {
	readonly processes: bigint;
	/** Open descriptors of all of them, and how many of these are sockets. */
	readonly descriptors: bigint;
	readonly sockets: bigint;
	/** Soft limit of the first process; undefined: none, or it is gone. */
	readonly maxOpenFiles: bigint | undefined;
}

/** Counts what the processes have open. Some have thousands of descriptors: others get their turn in between. */
export async function countProcesses(
	pids: readonly number[],
	first: number | undefined,
	turn: Turn,
): Promise<ProcessCounts> {
	let descriptors = 0;
	let sockets = 0;
	for (const pid of pids) {
		const folder = `/proc/${pid}/fd`;
		const names = await readdir(folder).catch(() => []);
		descriptors += names.length;
		for (const name of names) {
			if (isSocket(`${folder}/${name}`)) sockets += 1;
			if (turn.isOver) await turn.pass();
		}
	}
	return {
		processes: BigInt(pids.length),
		descriptors: BigInt(descriptors),
		sockets: BigInt(sockets),
		maxOpenFiles: first === undefined ? undefined : maxOpenFiles(first),
	};
}

function isSocket(path: string): boolean {
	try {
		return readlinkSync(path).startsWith('socket:');
	} catch {
		return false; // closed meanwhile
	}
}

/** `Max open files            1024                 4096                 files` */
function maxOpenFiles(pid: number): bigint | undefined {
	try {
		const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/limits`, 'utf8')) ?? [];
		return soft === undefined ? undefined : BigInt(soft);
	} catch {
		return undefined; // it has ended
	}
}
