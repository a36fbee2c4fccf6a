import { randomUUID } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

export interface WriteOptions {
	/** Permission bits of the new file. Default 0600. */
	readonly mode?: number;
	/** fsync the file and its folder, for what must survive a power loss. Not needed on tmpfs. */
	readonly durable?: boolean;
}

/** Replaces a file as a whole: a reader sees the old content or the new, never a part, whenever we are killed. */
export async function writeFileAtomic(
	path: string,
	data: string | Uint8Array,
	options: WriteOptions = {},
): Promise<void> {
	const temporary = `${path}.${randomUUID().slice(0, 8)}.tmp`;
	try {
		const file = await open(temporary, 'wx', options.mode ?? 0o600);
		try {
			await file.writeFile(data);
			if (options.durable) await file.sync();
		} finally {
			await file.close();
		}
		await rename(temporary, path);
	} catch (error) {
		await rm(temporary, { force: true });
		throw error;
	}
	if (options.durable) await syncFolder(dirname(path));
}

async function syncFolder(path: string): Promise<void> {
	const folder = await open(path, 'r');
	try {
		await folder.sync();
	} finally {
		await folder.close();
	}
}
