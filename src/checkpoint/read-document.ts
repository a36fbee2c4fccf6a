import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { invalidArgument } from '#base/errors.ts';

/** More than any document holds that was written by a checkpoint. */
const MOST_BYTES = 64 * 1024 * 1024;

/**
 * The text of a document of a checkpoint. What is no regular file, or too large, is INVALID_ARGUMENT: a pipe would be
 * waited for without end. Other failures are the system's own.
 */
export async function readDocument(path: string): Promise<string> {
	const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
	try {
		const found = await file.stat();
		if (!found.isFile()) throw invalidArgument('it is no regular file');
		if (found.size > MOST_BYTES) throw invalidArgument(`it has ${found.size} bytes, more than ${MOST_BYTES}`);
		return await file.readFile('utf8');
	} finally {
		await file.close();
	}
}
