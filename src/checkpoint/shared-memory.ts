import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Daemon } from '../server/types.ts';
import { sandboxOf } from './claim.ts';
import type { Deadline } from './deadline.ts';
import { unpack } from './tar.ts';

/** The pod's /dev/shm, in the layout that all runtimes share. */
export const SHARED_MEMORY = 'devshm-checkpoint.tar';

/** The pod's /dev/shm, as its pause process sees it. */
export const sharedMemoryOf = (pid: number): string => `/proc/${pid}/root/dev/shm`;

export interface SavedMemory {
	/** Of the checkpoint. */
	readonly folder: string;
	/**
	 * Other containers of the pod may run, write there, and have links there that lead anywhere on the host: only files
	 * that are in no folder come back, and what is there stays.
	 */
	readonly amongOthers: boolean;
}

/**
 * Before the processes, which may have files of it mapped. A pod that has the node's /dev/shm gets nothing, as it saved
 * nothing.
 */
export async function restoreSharedMemory(
	daemon: Pick<Daemon, 'sandboxes' | 'launcher'>,
	sandboxId: string,
	{ folder, amongOthers }: SavedMemory,
	deadline: Deadline,
): Promise<void> {
	const archive = join(folder, SHARED_MEMORY);
	const { pausePid, hasSharedMemory } = sandboxOf(daemon, sandboxId);
	if (!hasSharedMemory || !existsSync(archive)) return;
	await unpack(daemon.launcher, { folder: sharedMemoryOf(pausePid), archive, amongOthers }, deadline);
}
