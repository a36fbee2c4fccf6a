import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, lstat, mkdir, readdir, rename } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, normalize } from 'node:path';
import {
	errnoOf,
	fromSystemError,
	invalidArgument,
	isNoRoom,
	messageOf,
	resourceExhausted,
} from '#base/errors.ts';
import { changing } from '#base/fault-points.ts';
import { placeOf } from './trusted-path.ts';

/** Where a checkpoint comes to lie once it is whole. */
export interface Destination {
	/** Without a link on the way to it. */
	readonly path: string;
	readonly isFolder: boolean;
	/** An earlier checkpoint of the same object lies there, as a folder. */
	readonly replaces: boolean;
	/** Beside it: everything is written below it. Removed at the end, whatever happens. */
	readonly temporary: string;
	/** The folder that holds the checkpoint itself, in `temporary`. */
	readonly content: string;
}

export interface Wanted {
	/** The field of the request, for errors. */
	readonly field: string;
	/** What is to lie there; `any` is a folder when one is there or the path ends with a slash. */
	readonly kind: 'folder' | 'any';
	/** Whether a folder holds a checkpoint of the same object: a call that is made again takes its place. */
	readonly isSame: (folder: string) => Promise<boolean>;
}

/**
 * Looks at the place and changes nothing. INVALID_ARGUMENT, naming the field and why, for one where nothing can be
 * written, and for one to which another than root could lead the way.
 */
export async function findDestination(given: string, wanted: Wanted): Promise<Destination> {
	const { field, kind } = wanted;
	if (given === '') throw invalidArgument(`${field} is empty`);
	if (!isAbsolute(given) || given.includes('\0'))
		throw invalidArgument(`${field} ${JSON.stringify(given)} is not an absolute path`);
	const named = normalize(given).replace(/(?<=.)\/+$/, '');
	if (named === '/') throw invalidArgument(`${field} is /, where no checkpoint can be written`);
	const { path, distrust, missing } = await placeOf(named);
	if (distrust !== undefined) throw invalidArgument(`${field}: ${distrust}`);
	if (missing !== undefined) throw invalidArgument(`${field}: cannot write to ${dirname(path)}: ${missing}`);
	const place = await lookAt(path, kind === 'folder' || given.endsWith('/'), wanted);
	const temporary = join(dirname(path), `${basename(path)}.${randomUUID().slice(0, 8)}.tmp`);
	return { path, ...place, temporary, content: join(temporary, 'content') };
}

/** What is to lie there. What is there already is replaced only when nothing is lost. */
async function lookAt(
	path: string,
	wantsFolder: boolean,
	{ field, isSame }: Wanted,
): Promise<Pick<Destination, 'isFolder' | 'replaces'>> {
	const found = await lstat(path).catch((error: unknown) => {
		if (errnoOf(error) === 'ENOENT') return undefined;
		throw invalidArgument(`${field}: cannot write to ${path}: ${errnoOf(error)}`, { cause: error });
	});
	if (found === undefined) return { isFolder: wantsFolder, replaces: false };
	if (found.isSymbolicLink())
		throw invalidArgument(`${field}: ${path} is a link; say where the checkpoint is to lie`);
	if (found.isFile() && !wantsFolder) return { isFolder: false, replaces: false };
	if (!found.isDirectory()) throw invalidArgument(`${field}: ${path} is there, and is no folder`);
	const entries = await readdir(path);
	if (entries.length === 0) return { isFolder: true, replaces: false };
	if (await isSame(path)) return { isFolder: true, replaces: true };
	throw invalidArgument(`${field}: the folder ${path} is not empty (${entries[0]}, …)`);
}

export async function makeTemporary(
	{ path, temporary, content }: Destination,
	{ field }: Pick<Wanted, 'field'>,
): Promise<void> {
	try {
		await changing('checkpoint.folder', () => mkdir(temporary, { mode: 0o700 }));
		await mkdir(content, { mode: 0o700 });
	} catch (error) {
		const make = isNoRoom(errnoOf(error)) ? resourceExhausted : invalidArgument;
		throw make(`${field}: cannot write to ${dirname(path)}: ${errnoOf(error)}`, { cause: error });
	}
}

/** What a new checkpoint takes the place of, until the new one is there. */
const replacedIn = (temporary: string): string => join(temporary, 'replaced');

/** Puts what was written (`content`, or a file) in its place, at once. */
export async function publish(destination: Destination, written: string): Promise<void> {
	const { path, isFolder, temporary, replaces } = destination;
	try {
		await chmod(written, isFolder ? 0o700 : 0o600);
		if (replaces) await changing('checkpoint.replace', () => rename(path, replacedIn(temporary)));
		await changing('checkpoint.publish', () => rename(written, path));
	} catch (error) {
		const left = await putBack(temporary).then(
			() => '',
			(failure: unknown) => `; ${messageOf(failure)}`,
		);
		throw invalidArgument(`Cannot put the checkpoint at ${path}: ${errnoOf(error)}${left}`, { cause: error });
	}
}

/**
 * The earlier checkpoint is back in its place unless the new one is there. Before a temporary folder is removed: an error
 * says that it is nowhere else.
 */
export async function putBack(temporary: string): Promise<void> {
	const path = temporary.replace(/\.[0-9a-f]{8}\.tmp$/, '');
	const replaced = replacedIn(temporary);
	if (!existsSync(replaced) || existsSync(path)) return;
	await rename(replaced, path).catch((error: unknown) => {
		throw fromSystemError(`The earlier checkpoint of ${path} cannot be put back from ${replaced}`, error);
	});
}
