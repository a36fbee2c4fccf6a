import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { deadlineExceeded, errnoOf, failedPrecondition, fromSystemError } from '#base/errors.ts';
import { readKeyed, readText } from './files.ts';
import { type CgroupLayout, controllerFolder } from './layout.ts';

const PAUSE_MS = 5;
/** A process that waits in the kernel for a disk is not frozen before it has it. */
const FREEZE_TIMEOUT_MS = 10_000;

/** Folder of the cgroup through which its processes are stopped. FAILED_PRECONDITION when the machine has no freezer. */
export function freezerFolder(layout: CgroupLayout, path: string): string {
	const folder =
		layout.version === 2 ? join(layout.mountRoot, path) : controllerFolder(layout, 'freezer', path);
	if (folder === undefined) throw failedPrecondition('The freezer controller of cgroup v1 is not mounted');
	return folder;
}

/**
 * Stops every process of a cgroup and below, and waits until none runs. DEADLINE_EXCEEDED when one does not stop
 * within ten seconds; the reason of `signal` when it aborts. Thaw it, whatever this answers.
 */
export async function freeze(layout: CgroupLayout, path: string, signal?: AbortSignal): Promise<void> {
	const folder = freezerFolder(layout, path);
	const deadline = performance.now() + FREEZE_TIMEOUT_MS;
	do {
		signal?.throwIfAborted();
		// v1 forgets now and then what it was asked for.
		write(layout, folder, true);
		if (isFrozen(layout, folder)) return;
		await sleep(PAUSE_MS);
	} while (performance.now() < deadline);
	throw deadlineExceeded(`The processes of ${folder} cannot be frozen: one waits in the kernel`);
}

/** Lets them go on. A cgroup that is gone is fine. */
export function thaw(layout: CgroupLayout, path: string): void {
	write(layout, freezerFolder(layout, path), false);
}

function write({ version }: CgroupLayout, folder: string, frozen: boolean): void {
	const [file, value] =
		version === 2 ? ['cgroup.freeze', frozen ? '1' : '0'] : ['freezer.state', frozen ? 'FROZEN' : 'THAWED'];
	try {
		writeFileSync(join(folder, file), value, { flag: 'r+' });
	} catch (error) {
		const isGone = ['ENOENT', 'ENODEV'].includes(errnoOf(error) ?? '');
		if (!isGone || frozen) throw fromSystemError(`Cannot write ${value} to ${join(folder, file)}`, error);
	}
}

function isFrozen({ version }: CgroupLayout, folder: string): boolean {
	if (version === 2) return readKeyed(join(folder, 'cgroup.events'))('frozen') === 1n;
	return readText(join(folder, 'freezer.state')).trim() === 'FROZEN';
}
