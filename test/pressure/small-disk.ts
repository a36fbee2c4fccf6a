/** File systems of a few megabytes, to be filled. */
import { execFileSync } from 'node:child_process';
import {
	closeSync,
	mkdirSync,
	mkdtempSync,
	openSync,
	readdirSync,
	rmSync,
	statSync,
	truncateSync,
	writeFileSync,
	writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export type Kind = 'tmpfs' | 'ext4';
/** What runs out. */
export type Scarcity = 'space' | 'inodes';

const MEBIBYTE = 1024 * 1024;
const PIECES = [MEBIBYTE, 4096] as const;

export class SmallDisk implements Disposable {
	readonly path = mkdtempSync(join(tmpdir(), 'small-'));
	readonly #image: string;
	#files = 0;

	constructor(kind: Kind, sizeMebibytes: number, inodes: number) {
		this.#image = `${this.path}.img`;
		if (kind === 'tmpfs') {
			const options = `mode=755,size=${sizeMebibytes}m,nr_inodes=${inodes}`;
			execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'gantry-small', this.path]);
			return;
		}
		closeSync(openSync(this.#image, 'w'));
		truncateSync(this.#image, sizeMebibytes * MEBIBYTE);
		execFileSync('mkfs.ext4', ['-q', '-b4096', '-m0', '-N', String(inodes), this.#image], { stdio: 'pipe' });
		execFileSync('mount', ['-o', 'loop', this.#image, this.path]);
	}

	/** Takes everything that is there, to the last page or inode. */
	fill(what: Scarcity): void {
		if (what === 'space') this.#fillSpace();
		else this.#fillInodes();
	}

	/** Fills it, and gives back so many pages or inodes. */
	leave(count: number, what: Scarcity): void {
		this.fill(what);
		const folder = this.#fillerFolder();
		const space = join(folder, 'space');
		if (what === 'space') truncateSync(space, statSync(space).size - count * 4096);
		else for (const name of readdirSync(folder).slice(0, count)) rmSync(join(folder, name));
	}

	/** Gives back what `fill` took. */
	free(): void {
		rmSync(join(this.path, 'filler'), { recursive: true, force: true });
	}

	/** One large file, and then small ones: ext4 asks more room for a block of the large one than for a new file. */
	#fillSpace(): void {
		const folder = this.#fillerFolder();
		const file = openSync(join(folder, 'space'), 'a');
		try {
			for (const size of PIECES) untilFull(() => writeSync(file, Buffer.alloc(size, 'x')));
		} finally {
			closeSync(file);
		}
		untilFull(() => writeFileSync(this.#newFile(folder), Buffer.alloc(4096, 'x'), { flush: true }));
	}

	#fillInodes(): void {
		const folder = this.#fillerFolder();
		untilFull(() => writeFileSync(this.#newFile(folder), ''));
	}

	#newFile(folder: string): string {
		this.#files += 1;
		return join(folder, String(this.#files));
	}

	#fillerFolder(): string {
		const folder = join(this.path, 'filler');
		mkdirSync(folder, { recursive: true });
		return folder;
	}

	[Symbol.dispose](): void {
		execFileSync('umount', ['-l', this.path]);
		rmSync(this.path, { recursive: true });
		rmSync(this.#image, { force: true });
	}
}

/** Calls again and again until there is no room. A file system of a few megabytes is full long before the end. */
function untilFull(take: () => void): void {
	for (let times = 0; times < 100_000; times++) {
		try {
			take();
		} catch (error) {
			if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return;
			throw error;
		}
	}
	throw new Error('the file system has no end');
}
