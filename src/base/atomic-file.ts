import { randomUUID } from 'node:crypto';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { open, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errnoOf, fromSystemError } from './errors.ts';

export interface WriteOptions {
	/** Permission bits of the new file. Default 0600. */
	readonly mode?: number;
	/** fsync the file and its folder, for what must survive a power loss. Not needed on tmpfs. */
	readonly durable?: boolean;
}

/**
 * Replaces a file as a whole: a reader sees the old content or the new, never a part, whenever we are killed.
 * RESOURCE_EXHAUSTED when there is no room for it.
 */
export async function writeFileAtomic(
	path: string,
	data: string | Uint8Array,
	options: WriteOptions = {},
): Promise<void> {
	const temporary = besides(path);
	try {
		await writeAndRename(temporary, path, data, options);
		if (options.durable) await syncFolder(dirname(path));
	} catch (error) {
		// Its own words do not always name the file: a write(2) that fails knows only a descriptor.
		throw fromSystemError(`Cannot write ${path}`, error);
	}
}

/**
 * The same at once, for small files on a tmpfs: written in less time than a thread of the pool takes to hear of it.
 * Not durable.
 */
export function replaceFile(path: string, data: string | Uint8Array, mode = 0o600): void {
	const temporary = besides(path);
	try {
		writeFileSync(temporary, data, { mode, flag: 'wx' });
		renameSync(temporary, path);
	} catch (error) {
		rmSync(temporary, { force: true });
		throw fromSystemError(`Cannot write ${path}`, error);
	}
}

const besides = (path: string): string => `${path}.${randomUUID().slice(0, 8)}.tmp`;

async function writeAndRename(
	temporary: string,
	path: string,
	data: string | Uint8Array,
	options: WriteOptions,
): Promise<void> {
	try {
		const flush = options.durable ?? false;
		await writeFile(temporary, data, { flag: 'wx', mode: options.mode ?? 0o600, flush });
		await rename(temporary, path);
	} catch (error) {
		await rm(temporary, { force: true });
		throw error;
	}
}

/** Whether a file name is one that these write under before they rename. */
export const isHalfWritten = (name: string): boolean => /\.[0-9a-f]{8}\.tmp$/.test(name);

/** Removes what killed writes left in a folder, which need not be there. Only for its one writer, before it writes. */
export async function removeHalfWritten(folder: string): Promise<void> {
	const names = await readdir(folder).catch((error: unknown) => {
		if (errnoOf(error) === 'ENOENT') return [];
		throw error;
	});
	for (const name of names.filter(isHalfWritten)) await rm(join(folder, name), { force: true });
}

async function syncFolder(path: string): Promise<void> {
	const folder = await open(path, 'r');
	try {
		await folder.sync();
	} finally {
		await folder.close();
	}
}
