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
	const below = lowers.map((lower) => new LowerFolders(lower));
	const ops: FileOp[] = [];
	for (const path of implied) {
		const found = await topmost(path, below);
		if (found !== undefined) ops.push(likeFolder(path, found));
	}
	return ops;
}

async function topmost(path: string, lowers: readonly LowerFolders[]): Promise<BigIntStats | undefined> {
	for (const lower of lowers) {
		const found = await lower.at(path);
		if (found !== undefined) return found.isDirectory() ? found : undefined;
	}
	return undefined;
}

/** What one layer below has where others imply a folder. Whole trees are implied: each part is looked at once. */
class LowerFolders {
	readonly #root: string;
	readonly #seen = new Map<string, Promise<BigIntStats | undefined>>();

	constructor(root: string) {
		this.#root = root;
	}

	/** What it has at a path or on the way to it, if that is no folder. No symlink is followed. */
	at(path: string): Promise<BigIntStats | undefined> {
		const seen = this.#seen.get(path) ?? this.#look(path);
		this.#seen.set(path, seen);
		return seen;
	}

	async #look(path: string): Promise<BigIntStats | undefined> {
		const slash = path.lastIndexOf('/');
		if (slash > 0) {
			const parent = await this.at(path.slice(0, slash));
			if (!parent?.isDirectory()) return parent;
		}
		return await lstat(join(this.#root, path), { bigint: true }).catch(() => undefined);
	}
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
