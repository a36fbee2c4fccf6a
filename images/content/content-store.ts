import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { removeHalfWritten, writeFileAtomic } from '#base/atomic-file.ts';
import { errnoOf, fromSystemError } from '#base/errors.ts';
import { matchesDigest, requireDigest } from '../digest.ts';

/** Manifests, indexes and configurations, each in a file named by its digest. Layers are not kept. */
export class ContentStore {
	readonly #root: string;
	#bytes = 0;
	#files = 0;

	constructor(root: string) {
		this.#root = root;
	}

	/** Space of what is stored, once `measure` was called. */
	get usage(): { readonly bytes: number; readonly inodes: number } {
		return { bytes: this.#bytes, inodes: this.#files };
	}

	async measure(): Promise<void> {
		const files = await this.list();
		this.#files = files.length;
		this.#bytes = files.reduce((sum, file) => sum + file.bytes, 0);
	}

	/** undefined when it is not here, or is not what its digest says any more: then it is brought again. */
	async read(digest: string): Promise<Uint8Array | undefined> {
		try {
			const bytes = await readFile(this.#path(digest));
			return matchesDigest(bytes, digest) ? bytes : undefined;
		} catch (error) {
			if (errnoOf(error) === 'ENOENT') return undefined;
			throw fromSystemError(`Cannot read ${this.#path(digest)}`, error);
		}
	}

	/** Idempotent. Survives a power loss once the file system has been synced. */
	async write(digest: string, bytes: Uint8Array): Promise<void> {
		if ((await this.read(digest)) !== undefined) return;
		const path = this.#path(digest);
		try {
			await mkdir(join(path, '..'), { recursive: true, mode: 0o700 });
			await writeFileAtomic(path, bytes);
			this.#bytes += bytes.length;
			this.#files++;
		} catch (error) {
			throw fromSystemError(`Cannot write ${path}`, error);
		}
	}

	/** Removes files that `list` told. */
	async delete(files: readonly { readonly path: string }[]): Promise<void> {
		for (const { path } of files) await rm(path, { force: true });
		await this.measure();
	}

	/** Removes what a killed process was writing. */
	async sweep(): Promise<void> {
		for (const algorithm of await names(this.#root)) await removeHalfWritten(join(this.#root, algorithm));
	}

	/** Every file of the store; `digest` is undefined for one that has no business here (half-written). */
	async list(): Promise<{ path: string; digest: string | undefined; bytes: number }[]> {
		const files: { path: string; digest: string | undefined; bytes: number }[] = [];
		for (const algorithm of await names(this.#root)) {
			for (const hex of await names(join(this.#root, algorithm))) {
				const path = join(this.#root, algorithm, hex);
				const known = /^[0-9a-f]+$/.test(hex);
				const size = await stat(path).catch(() => undefined);
				if (size !== undefined)
					files.push({ path, digest: known ? `${algorithm}:${hex}` : undefined, bytes: size.size });
			}
		}
		return files;
	}

	#path(digest: string): string {
		const { algorithm, hex } = requireDigest(digest, 'a digest');
		return join(this.#root, algorithm, hex);
	}
}

async function names(folder: string): Promise<string[]> {
	return await readdir(folder).catch(() => []);
}
