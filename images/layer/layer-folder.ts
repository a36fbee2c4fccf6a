import {
	chmodSync,
	closeSync,
	constants,
	lchownSync,
	linkSync,
	lutimesSync,
	mkdirSync,
	openSync,
	rmSync,
	symlinkSync,
	writeSync,
} from 'node:fs';
import { type ByteString, toPath } from './bytes.ts';
import type { TarHeader } from './tar-reader.ts';

const NEW_FILE = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY | constants.O_NOFOLLOW;

/**
 * The folder that a layer is unpacked into. Every path given here was resolved by the layer's tree, so none has a
 * symlink on its way. Synchronous calls: this runs on worker threads, where they are several times quicker.
 */
export class LayerFolder {
	readonly #root: string;

	constructor(root: string) {
		this.#root = root;
	}

	makeFolder(path: ByteString): void {
		mkdirSync(this.#at(path), 0o755);
	}

	makeSymlink(path: ByteString, target: ByteString): void {
		symlinkSync(toPath(target), this.#at(path));
	}

	link(path: ByteString, existing: ByteString): void {
		linkSync(this.#at(existing), this.#at(path));
	}

	/** Removes whatever is there, with all below. */
	remove(path: ByteString): void {
		rmSync(this.#at(path), { recursive: true, force: true });
	}

	async writeFile(path: ByteString, data: AsyncIterable<Buffer>): Promise<void> {
		const file = openSync(this.#at(path), NEW_FILE, 0o600);
		try {
			for await (const chunk of data) writeAll(file, chunk);
		} finally {
			closeSync(file);
		}
	}

	/** For names that are no UTF-8, which the native helper cannot be told. Times lose their last digits. */
	setAttributes(path: ByteString, header: TarHeader): void {
		const at = this.#at(path);
		lchownSync(at, header.uid, header.gid);
		if (header.type !== 'symlink') chmodSync(at, header.mode);
		lutimesSync(at, Number(header.atimeNs) / 1e9, Number(header.mtimeNs) / 1e9);
	}

	#at(path: ByteString): string | Buffer {
		return path === ''
			? this.#root
			: typeof toPath(path) === 'string'
				? `${this.#root}/${path}`
				: Buffer.concat([Buffer.from(`${this.#root}/`), toPath(path) as Buffer]);
	}
}

function writeAll(file: number, chunk: Buffer): void {
	for (let at = 0; at < chunk.length; ) at += writeSync(file, chunk, at);
}
