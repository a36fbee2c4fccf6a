import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Daemon } from '../server/types.ts';
import { systemCgroup } from '../startup/system-cgroup.ts';

const PAUSE_MS = 20;
/** A CRIU that takes longer after everybody who waited for it has gone does not end by itself. */
const PATIENCE_MS = 60_000;
/** What has been killed and does not end hangs in the kernel: it never freezes anything again. */
const AFTER_KILL_MS = 1000;

interface SaversOptions {
	readonly patienceMs?: number;
	readonly kill?: (pid: number) => void;
}

/**
 * Waits until no CRIU writes below the temporary folder any more. One outlives a daemon and a launcher, for a
 * container whose CRIU is killed may die of it; and until its end it may freeze the cgroup again.
 */
export async function saversEnded(
	{ cgroups, config, log }: Pick<Daemon, 'cgroups' | 'config' | 'log'>,
	temporary: string,
	{ patienceMs = PATIENCE_MS, kill = killProcess }: SaversOptions = {},
): Promise<void> {
	const killMs = performance.now() + patienceMs;
	let giveUpMs = Infinity;
	while (performance.now() < giveUpMs) {
		const pids = await cgroups.processes(systemCgroup(config));
		const savers = pids.filter((pid) => commandLineOf(pid).includes(`${temporary}/`));
		if (savers.length === 0) return;
		if (performance.now() >= killMs && giveUpMs === Infinity) {
			log.warn('a CRIU that does not end is killed', { pids: savers });
			for (const pid of savers) kill(pid);
			giveUpMs = performance.now() + AFTER_KILL_MS;
		}
		await sleep(PAUSE_MS);
	}
}

function commandLineOf(pid: number): string {
	try {
		return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
	} catch {
		return '';
	}
}

function killProcess(pid: number): void {
	try {
		process.kill(pid, 'SIGKILL');
	} catch {
		// It has ended.
	}
}
