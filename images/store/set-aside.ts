import { mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '#base/errors.ts';
import type { Log } from '#base/log.ts';

/** Records that cannot be read are moved here and reported: never wiped, never in the way. Without room they stay. */
export class SetAside {
	readonly root: string;
	/** Of a store that is only looked at: what cannot be read, and stays where it is. */
	readonly left: { readonly path: string; readonly why: string }[] = [];
	readonly #log: Log;
	readonly #lookOnly: boolean;

	constructor(root: string, log: Log, options: { readonly lookOnly?: boolean } = {}) {
		this.root = root;
		this.#log = log;
		this.#lookOnly = options.lookOnly ?? false;
	}

	async take(path: string, name: string, why: unknown): Promise<void> {
		if (this.#lookOnly) {
			this.left.push({ path, why: messageOf(why) });
			return;
		}
		const kept = join(this.root, `${name}.${Date.now()}`);
		this.#log.error('An image record cannot be read and is kept aside', { path, kept, why: messageOf(why) });
		try {
			await mkdir(this.root, { recursive: true, mode: 0o700 });
			await rename(path, kept);
		} catch (error) {
			this.#log.warn('An image record cannot be kept aside', { path, why: messageOf(error) });
		}
	}
}
