import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Daemon } from '../server/types.ts';
import { sandboxOf } from './claim.ts';
import { Deadline } from './deadline.ts';
import { unpack } from './tar.ts';

/** The pod's /dev/shm, in the layout that all runtimes share. */
export const SHARED_MEMORY = 'devshm-checkpoint.tar';

/** The pod's /dev/shm, as its pause process sees it. */
export const sharedMemoryOf = (pid: number): string => `/proc/${pid}/root/dev/shm`;

/**
 * Before the processes, which may have files of it mapped. What other containers of the pod have there stays; a pod that
 * has the node's /dev/shm gets nothing, as it saved nothing. `folder`: of the checkpoint.
 */
export async function restoreSharedMemory(daemon: Daemon, sandboxId: string, folder: string): Promise<void> {
	const archive = join(folder, SHARED_MEMORY);
	const { pausePid, hasSharedMemory } = sandboxOf(daemon, sandboxId);
	if (!hasSharedMemory || !existsSync(archive)) return;
	const deadline = new Deadline('restore /dev/shm', 0n, daemon.config);
	await unpack(daemon.launcher, { folder: sharedMemoryOf(pausePid), archive, keep: true }, deadline);
}
