import { lstatSync, readdirSync, rmdirSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Removes a file or a small folder of our own with what is in it, at once: for what lies on a tmpfs, where the threads
 * of the pool take ten times as long. Nothing there is fine. Not rmSync: without descriptors that does not say why it
 * failed.
 */
export function removeTree(path: string): void {
	const status = lstatSync(path, { throwIfNoEntry: false });
	if (status?.isDirectory()) removeFolder(path);
	else if (status !== undefined) unlinkSync(path);
}

function removeFolder(path: string): void {
	for (const entry of readdirSync(path, { withFileTypes: true })) {
		const below = join(path, entry.name);
		if (entry.isDirectory()) removeFolder(below);
		else unlinkSync(below);
	}
	rmdirSync(path);
}
