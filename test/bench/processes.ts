/** Memory and CPU of processes, from /proc of the private machine: it shows nothing but what the benchmark started. */
import { readdirSync, readFileSync } from 'node:fs';

const TICKS_PER_SECOND = 100;

/** Resident memory in KiB. */
export function residentKib(pid: number): number {
	return field(`/proc/${pid}/status`, /^VmRSS:\s+(\d+) kB/m);
}

/** Proportional memory (PSS) in KiB. */
export function proportionalKibOf(pid: number): number {
	return field(`/proc/${pid}/smaps_rollup`, /^Pss:\s+(\d+) kB/m);
}

/** CPU seconds that a process has used, in user and kernel mode (proc_pid_stat(5), fields 14 and 15). */
export function cpuSeconds(pid: number): number {
	const stat = read(`/proc/${pid}/stat`);
	const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
	return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** Sum of the proportional memory (PSS) in KiB of all processes but those with these ids or running `workload`. */
export function proportionalKib(except: ReadonlySet<number>, workload: string): number {
	return readdirSync('/proc')
		.filter((name) => /^\d+$/.test(name) && !except.has(Number(name)))
		.filter((pid) => read(`/proc/${pid}/cmdline`).split('\0')[0] !== workload)
		.reduce((sum, pid) => sum + proportionalKibOf(Number(pid)), 0);
}

function field(path: string, pattern: RegExp): number {
	return Number(pattern.exec(read(path))?.[1] ?? 0);
}

/** Empty when the process has ended meanwhile. */
function read(path: string): string {
	try {
		return readFileSync(path, 'utf8');
	} catch {
		return '';
	}
}
