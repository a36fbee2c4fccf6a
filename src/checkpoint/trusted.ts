import type { Stats } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { isAbsolute, join, normalize } from 'node:path';
import { errnoOf, failedPrecondition, invalidArgument, StatusError } from '#base/errors.ts';
import { placeOf } from './trusted-path.ts';

const OTHERS_WRITE = 0o022;

/**
 * Where the checkpoint of a request lies, without a link on the way. Images of processes say what CRIU does as root of
 * the host, so a checkpoint is trusted as a program is. Unless everything in it is a plain file or folder that root
 * alone can write, and root alone can lead the way to it: FAILED_PRECONDITION naming the path. `field`: of the request.
 */
export async function trustedPlace(field: string, given: string): Promise<string> {
	if (given === '') throw invalidArgument(`${field} is empty`);
	if (!isAbsolute(given) || given.includes('\0'))
		throw invalidArgument(`${field} ${JSON.stringify(given)} is not an absolute path`);
	const named = normalize(given).replace(/(?<=.)\/+$/, '');
	const { path, distrust, missing } = await placeOf(named);
	if (distrust !== undefined) throw distrusted(named, distrust);
	if (missing !== undefined) throw invalidArgument(`${field}: cannot read ${named}: ${missing}`);
	try {
		await checkTrusted(path);
	} catch (error) {
		// Nothing is looked for there again: others may be about to make it.
		if (error instanceof StatusError) throw error;
		throw invalidArgument(`${field}: cannot read ${named}: ${errnoOf(error)}`, { cause: error });
	}
	return path;
}

/** The same of a folder that lies where nobody else comes. */
export async function checkTrusted(path: string): Promise<void> {
	const found = await lstat(path);
	const why = distrustOf(found);
	if (why !== undefined) throw distrusted(path, why);
	if (!found.isDirectory()) return;
	for (const name of await readdir(path)) await checkTrusted(join(path, name));
}

const distrusted = (path: string, why: string) =>
	failedPrecondition(
		`Cannot restore from ${path}: ${why}. Checkpoints are executed as root: take those that you trust, owned by root and writable by it alone`,
	);

function distrustOf(found: Stats): string | undefined {
	if (!found.isFile() && !found.isDirectory()) return 'it is neither a regular file nor a folder';
	if (found.uid !== 0) return `it belongs to user ${found.uid}`;
	if ((found.mode & OTHERS_WRITE) !== 0) return 'others than its owner can write to it';
	return undefined;
}
