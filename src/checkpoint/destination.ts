import { randomUUID } from 'node:crypto';
import { chmod, mkdir, readdir, rename, stat } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, normalize } from 'node:path';
import { errnoOf, invalidArgument, isNoRoom, resourceExhausted } from '#base/errors.ts';

/** Where a checkpoint comes to lie once it is whole. */
export interface Destination {
	readonly path: string;
	readonly isFolder: boolean;
	/** Beside it: everything is written below it. Removed at the end, whatever happens. */
	readonly temporary: string;
	/** The folder that holds the checkpoint itself, in `temporary`. */
	readonly content: string;
}

/**
 * Makes the temporary folder. INVALID_ARGUMENT, naming the field and why, for a place where nothing can be written.
 * `kind`: what is to lie there; `any` is a folder when one is there or the path ends with a slash.
 */
export async function openDestination(
	field: string,
	given: string,
	kind: 'folder' | 'any',
): Promise<Destination> {
	if (given === '') throw invalidArgument(`${field} is empty`);
	if (!isAbsolute(given) || given.includes('\0'))
		throw invalidArgument(`${field} ${JSON.stringify(given)} is not an absolute path`);
	const path = normalize(given).replace(/(?<=.)\/+$/, '');
	if (path === '/') throw invalidArgument(`${field} is /, where no checkpoint can be written`);
	await checkParent(field, dirname(path));
	const isFolder = await checkPlace(field, path, kind === 'folder' || given.endsWith('/'));
	const temporary = join(dirname(path), `${basename(path)}.${randomUUID().slice(0, 8)}.tmp`);
	try {
		await mkdir(temporary, { mode: 0o700 });
		await mkdir(join(temporary, 'content'), { mode: 0o700 });
	} catch (error) {
		const make = isNoRoom(errnoOf(error)) ? resourceExhausted : invalidArgument;
		throw make(`${field}: cannot write to ${dirname(path)}: ${errnoOf(error)}`, { cause: error });
	}
	return { path, isFolder, temporary, content: join(temporary, 'content') };
}

const STICKY = 0o1000;
const OTHERS_WRITE = 0o022;

/** Who may rename what lies there could have root write elsewhere. */
async function checkParent(field: string, parent: string): Promise<void> {
	const found = await stat(parent).catch(() => undefined);
	// What is missing is told when something is made in it.
	if (found === undefined) return;
	if (found.uid !== 0) throw invalidArgument(`${field}: ${parent} belongs to user ${found.uid}, not to root`);
	if ((found.mode & OTHERS_WRITE) !== 0 && (found.mode & STICKY) === 0)
		throw invalidArgument(`${field}: others than root can write to ${parent}, and it is not sticky`);
}

/** Whether it is to be a folder. What is there already is replaced only when nothing is lost. */
async function checkPlace(field: string, path: string, wantsFolder: boolean): Promise<boolean> {
	const found = await stat(path).catch((error: unknown) => {
		if (errnoOf(error) === 'ENOENT') return undefined;
		throw invalidArgument(`${field}: cannot write to ${path}: ${errnoOf(error)}`, { cause: error });
	});
	if (found === undefined) return wantsFolder;
	if (found.isFile() && !wantsFolder) return false;
	if (!found.isDirectory()) throw invalidArgument(`${field}: ${path} is there, and is no folder`);
	const entries = await readdir(path);
	if (entries.length > 0)
		throw invalidArgument(`${field}: the folder ${path} is not empty (${entries[0]}, …)`);
	return true;
}

/** Puts what was written (`content`, or a file) in its place, at once. */
export async function publish({ path, isFolder }: Destination, written: string): Promise<void> {
	try {
		await chmod(written, isFolder ? 0o700 : 0o600);
		await rename(written, path);
	} catch (error) {
		throw invalidArgument(`Cannot put the checkpoint at ${path}: ${errnoOf(error)}`, { cause: error });
	}
}
