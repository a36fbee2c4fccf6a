import { statfs } from 'node:fs/promises';

const TMPFS_MAGIC = 0x01021994;

/** Whether a path lies in memory, so that a reboot loses it (statfs(2)). Fails when there is no such path. */
export const isTmpfs = async (path: string): Promise<boolean> => (await statfs(path)).type === TMPFS_MAGIC;
