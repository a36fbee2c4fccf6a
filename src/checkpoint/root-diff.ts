import { isUtf8 } from 'node:buffer';
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { lstat, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { dataLoss } from '#base/errors.ts';
import { FS_OPS, type FsOp, type Launcher } from '#runtime';
import { list, text } from '../store/shape.ts';
import type { Deadline } from './deadline.ts';
import { readDocument } from './read-document.ts';
import { pack, unpack } from './tar.ts';

/** Names of the archive, in the layout that all runtimes share. */
const DIFF = 'rootfs-diff.tar';
const DELETED = 'deleted.files';

/**
 * Writes what a container has written to its root, and what it has deleted. `scratch`: a folder of ours alone, for a list
 * that the next daemon removes if this one cannot.
 */
export async function saveRootDiff(
	launcher: Pick<Launcher, 'run'>,
	{ upper, folder, scratch }: { readonly upper: string; readonly folder: string; readonly scratch: string },
	deadline: Deadline,
): Promise<void> {
	const { written, deleted } = await filesBelow(upper);
	await writeFile(join(folder, DELETED), JSON.stringify(deleted), { mode: 0o600 });
	const namesFile = join(scratch, `names.${randomUUID().slice(0, 8)}.tmp`);
	try {
		await writeFile(namesFile, Buffer.concat(written), { mode: 0o600, flag: NEW_FILE });
		await pack(launcher, { folder: upper, archive: join(folder, DIFF), namesFile }, deadline);
	} finally {
		await rm(namesFile, { force: true });
	}
}

const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

interface Files {
	/** `./a/b` with a zero byte at the end, a folder before what is in it. Bytes: names need not be UTF-8. */
	readonly written: Buffer[];
	/** `/a/b`. A name that JSON cannot hold stays among the others, as overlay's own mark. */
	readonly deleted: string[];
}

async function filesBelow(upper: string): Promise<Files> {
	const files: Files = { written: [Buffer.from('.\0')], deleted: [] };
	const folders: Buffer[] = [Buffer.from('.')];
	for (let below = folders.pop(); below !== undefined; below = folders.pop()) {
		const entries = await readdir(inFolder(upper, below), { withFileTypes: true, encoding: 'buffer' });
		for (const entry of entries) {
			const path = inFolder(below, entry.name);
			const isDeleted = entry.isCharacterDevice() && (await isWhiteout(inFolder(upper, path)));
			if (isDeleted && isUtf8(path)) files.deleted.push(path.toString().slice(1));
			else files.written.push(Buffer.concat([path, Buffer.from('\0')]));
			if (entry.isDirectory()) folders.push(path);
		}
	}
	return files;
}

const inFolder = (folder: string | Buffer, name: Buffer): Buffer =>
	Buffer.concat([Buffer.from(folder), Buffer.from('/'), name]);

/** overlay: a deleted file is a character device 0:0 of its name. */
const isWhiteout = async (path: Buffer): Promise<boolean> => (await lstat(path)).rdev === 0;

/** Fills the writable layer of a container that is being made. */
export async function restoreRootDiff(
	launcher: Pick<Launcher, 'run' | 'applyFiles'>,
	{ upper, folder }: { readonly upper: string; readonly folder: string },
	deadline: Deadline,
): Promise<void> {
	await mkdir(upper, { recursive: true, mode: 0o755 });
	await unpack(launcher, { folder: upper, archive: join(folder, DIFF) }, deadline);
	const deleted = await readDeleted(join(folder, DELETED));
	await launcher.applyFiles(upper, deleted.map(whiteout));
}

async function readDeleted(path: string): Promise<readonly string[]> {
	try {
		return list(text)(JSON.parse(await readDocument(path)), DELETED);
	} catch (error) {
		throw dataLoss(`Cannot read ${path}`, { cause: error });
	}
}

const S_IFCHR = 0o20000;

function whiteout(path: string): FsOp {
	return {
		kind: FS_OPS.MKNOD,
		path: path.replace(/^\/+/, ''),
		mode: S_IFCHR,
		uid: 0,
		gid: 0,
		device: 0n,
		atime_ns: 0n,
		mtime_ns: 0n,
		name: '',
		value: new Uint8Array(),
	};
}
