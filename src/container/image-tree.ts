import type { Stats } from 'node:fs';
import { lstat, open, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, failedPrecondition } from '#base/errors.ts';

/** As many symlinks on one path as the kernel follows (path_resolution(7)). */
const MAX_LINKS = 40;

/** One entry of the merged view of an image's layers. */
export interface TreeEntry {
	readonly stats: Stats;
	/** Where it lies on the host: in one layer, or for a folder in every layer that has it, topmost first. */
	readonly places: readonly string[];
}

/** Larger texts are read anew each time: images decide how large they are. */
const KEPT_TEXT_LENGTH = 16 * 1024;
/** As many paths of one image: it decides how many volumes it has. */
const MOST_FOUND = 100;
/** A node has fewer images in use. */
const MOST_TREES = 100;

/**
 * The trees of the images that containers were made of lately. Layers never change, so a tree need not look at
 * anything twice.
 */
export class ImageTrees {
	readonly #trees = new Map<string, ImageTree>();

	/** `lowers`: folders of the layers, topmost first. */
	of(lowers: readonly string[]): ImageTree {
		const key = lowers.join('\0');
		const tree = this.#trees.get(key) ?? new ImageTree(lowers);
		// The last one again: the first is the one that was asked for longest ago.
		this.#trees.delete(key);
		this.#trees.set(key, tree);
		for (const [oldest] of this.#trees) if (this.#trees.size > MOST_TREES) this.#trees.delete(oldest);
		return tree;
	}
}

/**
 * An image's layers as overlay will show them, for reading a few small files before anything is mounted. Symlinks
 * are resolved inside the image and never followed on the host.
 */
export class ImageTree {
	readonly #lowers: readonly string[];
	readonly #found = new Map<string, TreeEntry | undefined>();
	readonly #texts = new Map<string, string | undefined>();

	/** `lowers`: folders of the layers, topmost first. */
	constructor(lowers: readonly string[]) {
		this.#lowers = lowers;
	}

	/** What is at `path`, symlinks followed; undefined when there is nothing. */
	async find(path: string): Promise<TreeEntry | undefined> {
		if (this.#found.has(path)) return this.#found.get(path);
		const entry = await this.#find(path);
		if (this.#found.size < MOST_FOUND) this.#found.set(path, entry);
		return entry;
	}

	/** The content of a small file; undefined when there is no regular file. FAILED_PRECONDITION beyond the limit. */
	async readText(path: string, limitBytes: number): Promise<string | undefined> {
		if (this.#texts.has(path)) return this.#texts.get(path);
		const text = await this.#readText(path, limitBytes);
		if ((text?.length ?? 0) <= KEPT_TEXT_LENGTH) this.#texts.set(path, text);
		return text;
	}

	/** Whether a folder has anything in it. */
	async isEmpty(folder: TreeEntry): Promise<boolean> {
		const contents = await Promise.all(folder.places.map((place) => readdir(place)));
		return contents.every((names) => names.length === 0);
	}

	async #find(path: string): Promise<TreeEntry | undefined> {
		let todo = partsOf(path);
		const above: TreeEntry[] = [];
		let here = await this.#root();
		for (let links = 0; todo.length > 0; ) {
			const [name = '', ...rest] = todo;
			todo = rest;
			if (name === '..') {
				here = above.pop() ?? here;
				continue;
			}
			const entry = await child(here, name);
			if (entry === undefined) return undefined;
			if (!entry.stats.isSymbolicLink()) {
				if (rest.length > 0 && !entry.stats.isDirectory()) return undefined;
				above.push(here);
				here = entry;
				continue;
			}
			links += 1;
			if (links > MAX_LINKS)
				throw failedPrecondition(`Cannot resolve ${path} in the image: too many symlinks`);
			const target = await readlink(placeOf(entry));
			if (target.startsWith('/')) {
				above.length = 0;
				here = await this.#root();
			}
			todo = [...partsOf(target), ...rest];
		}
		return here;
	}

	async #readText(path: string, limitBytes: number): Promise<string | undefined> {
		const entry = await this.find(path);
		if (entry === undefined || !entry.stats.isFile()) return undefined;
		if (entry.stats.size > limitBytes) {
			throw failedPrecondition(`Cannot read ${path} of the image: it is larger than ${limitBytes} bytes`);
		}
		await using file = await open(placeOf(entry), 'r');
		return await file.readFile('utf8');
	}

	async #root(): Promise<TreeEntry> {
		return { stats: await lstat(this.#lowers[0] ?? '/'), places: this.#lowers };
	}
}

/** The upper entry hides lower ones; only folders merge, down to the first layer that has no folder there. */
async function child(folder: TreeEntry, name: string): Promise<TreeEntry | undefined> {
	const places: string[] = [];
	let top: Stats | undefined;
	for (const place of folder.places) {
		const path = join(place, name);
		const stats = await lstatIfThere(path);
		if (stats === undefined) continue;
		if (isWhiteout(stats)) break;
		if (!stats.isDirectory()) return top === undefined ? { stats, places: [path] } : { stats: top, places };
		top ??= stats;
		places.push(path);
	}
	return top === undefined ? undefined : { stats: top, places };
}

/** overlayfs: a character device 0:0 says that nothing is here. */
const isWhiteout = (stats: Stats): boolean => stats.isCharacterDevice() && stats.rdev === 0;

const placeOf = (entry: TreeEntry): string => entry.places[0] ?? '';

const partsOf = (path: string): string[] => path.split('/').filter((part) => part !== '' && part !== '.');

async function lstatIfThere(path: string): Promise<Stats | undefined> {
	try {
		return await lstat(path);
	} catch (error) {
		if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined;
		throw error;
	}
}
