import { linkSync, lstatSync, readdirSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FileOp, NativeFiles } from '../../images/types.ts';

/** NativeFiles without a launcher and without root: remembers the operations; nodes become plain empty files. */
export class FakeFiles implements NativeFiles {
	readonly ops: FileOp[] = [];
	/** Set to make every applyFiles fail with it. */
	failure: Error | undefined;
	synced = 0;

	async applyFiles(root: string, ops: readonly FileOp[]): Promise<void> {
		if (this.failure !== undefined) throw this.failure;
		for (const op of ops) {
			this.ops.push(op);
			if (op.kind === 2) await writeFile(join(root, op.path), '', { flag: 'wx' });
			if (op.kind === 4) linkSync(join(root, op.name), join(root, op.path));
		}
	}

	async removeTree(path: string): Promise<void> {
		await rm(path, { recursive: true, force: true });
	}

	async treeUsage(path: string): Promise<{ bytes: number; inodes: number }> {
		const paths = listTree(path);
		const bytes = paths.reduce((sum, name) => sum + lstatSync(join(path, name)).size, 0);
		return { bytes, inodes: paths.length + 1 };
	}

	async syncFileSystem(path: string): Promise<void> {
		await mkdir(path, { recursive: true });
		this.synced++;
	}
}

/** Paths of everything below a folder, sorted; symlinks are told, not followed (as readdir's `recursive` does). */
export function listTree(root: string, below = ''): string[] {
	return readdirSync(join(root, below), { withFileTypes: true })
		.flatMap((entry) => {
			const path = join(below, entry.name);
			return entry.isDirectory() ? [path, ...listTree(root, path)] : [path];
		})
		.sort();
}
