import { lstat, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { dataLoss } from '#base/errors.ts';
import { FS_OPS, type FsOp, type Launcher } from '#runtime';
import { list, text } from '../store/shape.ts';
import type { Deadline } from './deadline.ts';
import { pack, unpack } from './tar.ts';

/** Names of the archive, in the layout that all runtimes share. */
const DIFF = 'rootfs-diff.tar';
const DELETED = 'deleted.files';

/** Writes what a container has written to its root, and what it has deleted. `scratch`: for lists of ours. */
export async function saveRootDiff(
	launcher: Launcher,
	{ upper, folder, scratch }: { readonly upper: string; readonly folder: string; readonly scratch: string },
	deadline: Deadline,
): Promise<void> {
	const deleted = await deletedBelow(upper, '');
	const excludeFile = join(scratch, 'exclude');
	await writeFile(excludeFile, deleted.map((path) => `.${path}\n`).join(''), { mode: 0o600 });
	await writeFile(join(folder, DELETED), JSON.stringify(deleted), { mode: 0o600 });
	await pack(launcher, { folder: upper, archive: join(folder, DIFF), excludeFile }, deadline);
}

/** overlay: a deleted file is a character device 0:0 of its name. */
async function deletedBelow(upper: string, below: string): Promise<string[]> {
	const found: string[] = [];
	for (const entry of await readdir(join(upper, below), { withFileTypes: true })) {
		const path = `${below}/${entry.name}`;
		if (entry.isDirectory()) found.push(...(await deletedBelow(upper, path)));
		else if (entry.isCharacterDevice() && (await lstat(join(upper, path))).rdev === 0) found.push(path);
	}
	return found;
}

/** Fills the writable layer of a container that is being made. */
export async function restoreRootDiff(
	launcher: Launcher,
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
		return list(text)(JSON.parse(await readFile(path, 'utf8')), DELETED);
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
