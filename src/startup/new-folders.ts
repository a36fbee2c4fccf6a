/** A start that fails takes away again the folders that it made. */
import { existsSync } from 'node:fs';
import { rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Config } from '../config/types.ts';
import { pathOfAddress } from '../server/socket-file.ts';
import { COMPILED } from './compiled-code.ts';

/** The folders of a configuration that are not there yet; to be asked before anything is made. */
export class NewFolders {
	/** State and root. */
	readonly #own: readonly string[];
	/** Those above them and above the socket, the deepest first. */
	readonly #above: readonly string[];
	readonly #root: string;
	#locked = false;
	#done = false;

	constructor({ root, state, listen }: Pick<Config, 'root' | 'state' | 'listen'>) {
		this.#root = root;
		this.#own = [state, root].filter((path) => !existsSync(path));
		const above = [state, root, pathOfAddress(listen)].flatMap((path) => missingAbove(path));
		this.#above = [...new Set(above)].toSorted((a, b) => b.length - a.length);
	}

	/** From now on what is in state and root is our own: their locks are held. */
	locked(): void {
		this.#locked = true;
	}

	/** The start has succeeded: nothing is taken away any more. */
	keep(): void {
		this.#done = true;
	}

	/** Removes what was not there before. Without the locks only what is empty, for another daemon may have come. */
	async takeBack(): Promise<void> {
		if (this.#done) return;
		this.#done = true;
		if (!this.#locked && this.#own.includes(this.#root))
			await rm(join(this.#root, COMPILED), { recursive: true, force: true });
		for (const path of this.#own)
			await (this.#locked ? rm(path, { recursive: true, force: true }) : rmdir(path).catch(() => {}));
		for (const path of this.#above) await rmdir(path).catch(() => {});
	}
}

function missingAbove(path: string): readonly string[] {
	const above = dirname(path);
	return existsSync(above) ? [] : [above, ...missingAbove(above)];
}
