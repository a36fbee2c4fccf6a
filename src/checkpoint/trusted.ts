import type { Stats } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, failedPrecondition } from '#base/errors.ts';

const OTHERS_WRITE = 0o022;

/**
 * Images of processes say what CRIU does as root of the host, so a checkpoint is trusted as a program is. Unless
 * everything in it is a plain file or folder that root alone can write: FAILED_PRECONDITION naming the path.
 */
export async function checkTrusted(path: string): Promise<void> {
	const found = await lstat(path).catch((error: unknown) => {
		if (['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '')) return undefined;
		throw error;
	});
	// What is missing is told by who needs it.
	if (found === undefined) return;
	const why = distrust(found);
	if (why !== undefined)
		throw failedPrecondition(
			`Cannot restore from ${path}: ${why}. Checkpoints are executed as root: take those that you trust, owned by root and writable by it alone`,
		);
	if (!found.isDirectory()) return;
	for (const name of await readdir(path)) await checkTrusted(join(path, name));
}

function distrust(found: Stats): string | undefined {
	if (!found.isFile() && !found.isDirectory()) return 'it is neither a regular file nor a folder';
	if (found.uid !== 0) return `it belongs to user ${found.uid}`;
	if ((found.mode & OTHERS_WRITE) !== 0) return 'others than its owner can write to it';
	return undefined;
}
