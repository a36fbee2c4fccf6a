import type { Stats } from 'node:fs';
import { lstat, readlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { errnoOf } from '#base/errors.ts';

const OTHERS_WRITE = 0o022;
const STICKY = 0o1000;
/** As many as the kernel follows (path_resolution(7)). */
const MOST_LINKS = 40;

/** Where a path leads, or why it must not be used. */
export interface PlaceOfPath {
	/** The same place without a link on the way to it; what its last name is, is not looked at. */
	readonly path: string;
	/** Who else could lead the way elsewhere, as a sentence; undefined: root alone. */
	readonly distrust: string | undefined;
	/** ENOENT or ENOTDIR when a folder on the way is none. Not to be used: others may be about to make it. */
	readonly missing: string | undefined;
}

/**
 * Follows the way to an absolute, normal path, name by name from the root. Where every folder and link on it is
 * root's, and others can at most add names to a folder (sticky), nobody can turn the way between this look and the
 * use of `path`.
 */
export async function placeOf(given: string): Promise<PlaceOfPath> {
	const way = namesOf(dirname(given));
	let folder = '/';
	let inOpenFolder = await isOpen('/');
	let links = 0;
	for (let name = way.shift(); name !== undefined; name = way.shift()) {
		const path = join(folder, name);
		const found = await look(path);
		if (typeof found === 'string') return { path: given, distrust: undefined, missing: found };
		const distrust = distrustOf(path, found, inOpenFolder);
		if (distrust !== undefined) return { path: given, distrust, missing: undefined };
		if (found.isSymbolicLink()) {
			if (++links > MOST_LINKS)
				return { path: given, distrust: `${path} is one of too many links`, missing: undefined };
			const target = await readlink(path);
			if (target.startsWith('/')) folder = '/';
			way.unshift(...namesOf(target));
		} else {
			folder = path;
		}
		inOpenFolder = await isOpen(folder);
	}
	return { path: join(folder, basename(given)), distrust: undefined, missing: undefined };
}

const namesOf = (path: string): string[] => path.split('/').filter((name) => name !== '' && name !== '.');

async function isOpen(folder: string): Promise<boolean> {
	const found = await look(folder);
	return typeof found !== 'string' && (found.mode & OTHERS_WRITE) !== 0;
}

/** The errno when there is nothing. */
async function look(path: string): Promise<Stats | string> {
	return await lstat(path).catch((error: unknown) => {
		const errno = errnoOf(error) ?? '';
		if (['ENOENT', 'ENOTDIR'].includes(errno)) return errno;
		throw error;
	});
}

function distrustOf(path: string, found: Stats, inOpenFolder: boolean): string | undefined {
	if (found.uid !== 0) return `${path} belongs to user ${found.uid}, not to root`;
	if (found.isSymbolicLink()) {
		// A link of root's from elsewhere, which others gave a second name here, is root's, too.
		return inOpenFolder ? `${path} is a link in a folder that others can write to` : undefined;
	}
	const isSafe = (found.mode & OTHERS_WRITE) === 0 || (found.mode & STICKY) !== 0;
	return isSafe ? undefined : `others than root can write to ${path}, and it is not sticky`;
}
