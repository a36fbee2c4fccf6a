import { type FileHandle, open, stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { errnoOf } from '#base/errors.ts';

export interface FollowOptions {
	/** Go on after the end of the file until this says that no more will come; undefined: stop at the end. */
	readonly more?: () => Promise<boolean>;
	readonly signal: AbortSignal;
	readonly pollMs?: number;
}

const CHUNK_BYTES = 64 * 1024;

/**
 * The bytes of a file that grows. When another file takes its name (the kubelet rotates logs so), the old one is
 * read to its end and the new one from its beginning; a truncated file is read anew.
 */
export async function* follow(path: string, options: FollowOptions): AsyncGenerator<Buffer> {
	const { more, signal, pollMs = 200 } = options;
	let file: FileHandle | undefined;
	let at = 0;
	try {
		for (;;) {
			// Asked before reading: what is written until the answer is then read below.
			const goOn = more !== undefined && (await more());
			file ??= await openIfThere(path);
			if (file !== undefined) {
				at = await truncatedTo(file, at);
				for await (const chunk of readFrom(file, at)) {
					at += chunk.length;
					yield chunk;
				}
			}
			if (file !== undefined && (await isReplaced(file, path))) {
				const size = (await file.stat()).size;
				if (size > at) continue;
				await file.close();
				file = undefined;
				at = 0;
				continue;
			}
			if (!goOn || signal.aborted) return;
			await sleep(pollMs, undefined, { signal }).catch(() => undefined);
		}
	} finally {
		await file?.close();
	}
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
	try {
		return await open(path, 'r');
	} catch (error) {
		if (errnoOf(error) === 'ENOENT') return undefined;
		throw error;
	}
}

async function truncatedTo(file: FileHandle, at: number): Promise<number> {
	return (await file.stat()).size < at ? 0 : at;
}

async function* readFrom(file: FileHandle, start: number): AsyncGenerator<Buffer> {
	for (let at = start; ; ) {
		const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(CHUNK_BYTES), 0, CHUNK_BYTES, at);
		if (bytesRead === 0) return;
		at += bytesRead;
		yield buffer.subarray(0, bytesRead);
	}
}

/** Whether the path names another file now. Missing for a moment (between rename and reopen) is no replacement. */
async function isReplaced(file: FileHandle, path: string): Promise<boolean> {
	try {
		const [now, ours] = await Promise.all([stat(path), file.stat()]);
		return now.ino !== ours.ino || now.dev !== ours.dev;
	} catch (error) {
		if (errnoOf(error) === 'ENOENT') return false;
		throw error;
	}
}
