/** A start that fails takes away again the folders that it made. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Config } from '../config/types.ts';
import { pathOfAddress } from '../server/socket-file.ts';
import { COMPILED } from './compiled-code.ts';
import { LOCK } from './locks.ts';

/** The folders of a configuration that are not there yet; to be asked before anything is made. */
export class NewFolders {
	/** State and root. */
	#own: readonly string[];
	/** Those above them and above the socket, the deepest first. */
	readonly #above: readonly string[];
	readonly #root: string;
	/** The folders that are ours alone, by device and inode: a path may become another folder's. */
	#ours: ReadonlyMap<string, string> | undefined;
	#done = false;

	constructor({ root, state, listen }: Pick<Config, 'root' | 'state' | 'listen'>) {
		this.#root = root;
		this.#own = [state, root].filter((path) => !existsSync(path));
		const above = [state, root, pathOfAddress(listen)].flatMap((path) => missingAbove(path));
		this.#above = [...new Set(above)].toSorted((a, b) => b.length - a.length);
	}

	/**
	 * From now on what comes into state and root is our own: their locks are held. A folder that has files by now is
	 * another's: it came with a mount, or with a daemon that was killed while we waited for its lock.
	 */
	locked(): void {
		this.#own = this.#own.filter((path) => existsSync(path) && isBare(path));
		this.#ours = new Map(this.#own.map((path) => [path, identityOf(path)]));
	}

	/** The start has succeeded: nothing is taken away any more. */
	keep(): void {
		this.#done = true;
	}

	/** Removes what was not there before. Without the locks only what is empty, for another daemon may have come. */
	async takeBack(): Promise<void> {
		if (this.#done) return;
		this.#done = true;
		if (this.#ours === undefined && this.#own.includes(this.#root))
			await rm(join(this.#root, COMPILED), { recursive: true, force: true });
		for (const path of this.#own) await this.#remove(path);
		for (const path of this.#above) await rmdir(path).catch(() => {});
	}

	async #remove(path: string): Promise<void> {
		if (this.#ours === undefined) await rmdir(path).catch(() => {});
		else if (existsSync(path) && identityOf(path) === this.#ours.get(path))
			await rm(path, { recursive: true, force: true });
	}
}

/** Nothing is in it but folders without files, the lock and compiled code. */
function isBare(path: string): boolean {
	return readdirSync(path, { withFileTypes: true }).every(
		(entry) =>
			entry.name === LOCK ||
			entry.name === COMPILED ||
			(entry.isDirectory() && readdirSync(join(path, entry.name)).length === 0),
	);
}

const identityOf = (path: string): string => {
	const { dev, ino } = statSync(path, { bigint: true });
	return `${dev}:${ino}`;
};

function missingAbove(path: string): readonly string[] {
	const above = dirname(path);
	return existsSync(above) ? [] : [above, ...missingAbove(above)];
}
