import type { BigIntStats } from 'node:fs';
import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { ATTRIBUTES } from '../layer/file-ops.ts';
import type { FileOp } from '../types.ts';

/**
 * Operations that give a layer's implied folders the attributes of the same folders below. overlayfs shows the
 * topmost ones: without this, a layer that brings `tmp/x` but not `tmp/` would take /tmp its sticky bit.
 * `lowers`: folders of the layers below, topmost first.
 */
export async function impliedFolderOps(
	implied: readonly string[],
	lowers: readonly string[],
): Promise<FileOp[]> {
	const ops: FileOp[] = [];
	for (const path of implied) {
		const below = await topmost(path, lowers);
		if (below !== undefined) ops.push(likeFolder(path, below));
	}
	return ops;
}

async function topmost(path: string, lowers: readonly string[]): Promise<BigIntStats | undefined> {
	for (const lower of lowers) {
		const found = await entryBeneath(lower, path);
		if (found !== undefined) return found.isDirectory() ? found : undefined;
	}
	return undefined;
}

/** What a layer has at a path or on the way to it, if that is no folder. No symlink is followed. */
async function entryBeneath(root: string, path: string): Promise<BigIntStats | undefined> {
	let at = root;
	let found: BigIntStats | undefined;
	for (const part of path.split('/')) {
		at = join(at, part);
		found = await lstat(at, { bigint: true }).catch(() => undefined);
		if (!found?.isDirectory()) return found;
	}
	return found;
}

function likeFolder(path: string, stats: BigIntStats): FileOp {
	return {
		kind: ATTRIBUTES,
		path,
		mode: Number(stats.mode & 0o7777n),
		uid: Number(stats.uid),
		gid: Number(stats.gid),
		device: 0n,
		atime_ns: stats.mtimeNs,
		mtime_ns: stats.mtimeNs,
		name: '',
		value: new Uint8Array(),
	};
}
