import { rm } from 'node:fs/promises';
import { errnoOf, messageOf } from '#base/errors.ts';
import { checkProcess, type Launcher, type Op } from '#runtime';
import type { Finding, Removal } from './finding.ts';

const KILL_TIMEOUT_MS = 5000;

/** Processes and cgroups first, because they hold the mounts; files last. */
const ORDER: readonly Removal['how'][] = ['cgroup', 'kill', 'unmount', 'tree', 'finder'];

/** Takes findings away; returns a sentence for each that could not be. */
export async function repair(findings: readonly Finding[], launcher: Launcher): Promise<readonly string[]> {
	const failures: string[] = [];
	const inOrder = findings.toSorted((a, b) => ORDER.indexOf(a.removal.how) - ORDER.indexOf(b.removal.how));
	for (const finding of inOrder) {
		try {
			await remove(finding.removal, launcher);
		} catch (error) {
			failures.push(`cannot remove ${finding.kind} ${finding.name}: ${messageOf(error)}`);
		}
	}
	return failures;
}

async function remove(removal: Removal, launcher: Launcher): Promise<void> {
	switch (removal.how) {
		case 'kill':
			if (await checkProcess(removal.process)) kill(removal.process.pid);
			return;
		case 'cgroup':
			await launcher.teardown(removal.members.flatMap(cgroupOps));
			return;
		case 'unmount':
			await launcher.teardown([{ op: 'unmount', path: removal.path, remove: 1 }]);
			return;
		case 'tree':
			await rm(removal.path, { force: true }).catch(() => launcher.removeTree(removal.path));
			return;
		case 'finder':
			return;
	}
}

function cgroupOps({ path, v2 }: { readonly path: string; readonly v2: boolean }): readonly Op[] {
	return [
		{ op: 'cgroup_kill', path, v2: v2 ? 1 : 0, timeout_ms: KILL_TIMEOUT_MS },
		{ op: 'cgroup_remove', path, timeout_ms: KILL_TIMEOUT_MS },
	];
}

function kill(pid: number): void {
	try {
		process.kill(pid, 'SIGKILL');
	} catch (error) {
		if (errnoOf(error) !== 'ESRCH') throw error;
	}
}
