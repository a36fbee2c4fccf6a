import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isHalfWritten, writeFileAtomic } from '#base/atomic-file.ts';
import { fromSystemError, internal } from '#base/errors.ts';
import { changing } from '#base/fault-points.ts';
import type { Image } from '../types.ts';
import { findImage } from './find.ts';
import { decodeImageRecord, encodeImageRecord, type ImageRecord } from './image-record.ts';
import type { SetAside } from './set-aside.ts';

export interface ImageIndexOptions {
	readonly root: string;
	readonly setAside: SetAside;
	/** The image as others see it; undefined while one of its layers is missing. */
	readonly present: (record: ImageRecord) => Image | undefined;
}

/** The images of the store. Reads come from memory; a write is on disk before it is seen. */
export class ImageIndex {
	readonly #options: ImageIndexOptions;
	readonly #records = new Map<string, ImageRecord>();
	#byId: ReadonlyMap<string, Image> = new Map();
	#byName: ReadonlyMap<string, Image> = new Map();
	#list: readonly Image[] = [];

	private constructor(options: ImageIndexOptions) {
		this.#options = options;
	}

	static async open(options: ImageIndexOptions): Promise<ImageIndex> {
		const index = new ImageIndex(options);
		await mkdir(options.root, { recursive: true, mode: 0o700 });
		for (const name of await readdir(options.root)) await index.#load(name);
		index.#settleTags();
		index.#present();
		return index;
	}

	list(): readonly Image[] {
		return this.#list;
	}

	find(reference: string): Image | undefined {
		return findImage(reference, { byId: this.#byId, byName: this.#byName });
	}

	/** Records of all images, those with missing layers included. */
	records(): Iterable<ImageRecord> {
		return this.#records.values();
	}

	record(id: string): ImageRecord | undefined {
		return this.#records.get(id);
	}

	/** Publishes an image. Its tags leave the images that had them. */
	async put(record: ImageRecord): Promise<Image> {
		await this.#write(record);
		for (const other of [...this.#records.values()]) {
			const tags = other.tags.filter((tag) => !record.tags.includes(tag));
			if (other.id !== record.id && tags.length < other.tags.length) await this.#write({ ...other, tags });
		}
		this.#present();
		const image = this.#byId.get(record.id);
		if (image === undefined) throw internal(`Image ${record.id} was published without its layers`);
		return image;
	}

	/** Unseen from the call on. */
	async delete(id: string): Promise<void> {
		const record = this.#records.get(id);
		if (record === undefined) return;
		this.#records.delete(id);
		this.#present();
		try {
			await changing('image.unlist', () => rm(this.path(id), { force: true }));
		} catch (error) {
			this.#records.set(id, record);
			this.#present();
			throw fromSystemError(`Cannot remove ${this.path(id)}`, error);
		}
	}

	async #write(record: ImageRecord): Promise<void> {
		const path = this.path(record.id);
		try {
			await changing('image.record', () =>
				writeFileAtomic(path, encodeImageRecord(record), { durable: true }),
			);
		} catch (error) {
			throw fromSystemError(`Cannot write ${path}`, error);
		}
		this.#records.set(record.id, record);
	}

	async #load(name: string): Promise<void> {
		const path = join(this.#options.root, name);
		if (isHalfWritten(name)) return;
		try {
			const record = decodeImageRecord(await readFile(path, 'utf8'), path);
			if (this.path(record.id) !== path) throw new Error(`it holds the image ${record.id}`);
			this.#records.set(record.id, record);
		} catch (error) {
			await this.#options.setAside.take(path, `image-${name}`, error);
		}
	}

	/** A crash between two writes can leave a tag with two images: the later record is right. */
	#settleTags(): void {
		const taken = new Set<string>();
		const latestFirst = [...this.#records.values()].sort((a, b) => b.updatedAtMs - a.updatedAtMs);
		for (const record of latestFirst) {
			const tags = record.tags.filter((tag) => !taken.has(tag));
			for (const tag of tags) taken.add(tag);
			if (tags.length < record.tags.length) this.#records.set(record.id, { ...record, tags });
		}
	}

	#present(): void {
		const images = [...this.#records.values()].flatMap((record) => this.#options.present(record) ?? []);
		this.#list = images;
		this.#byId = new Map(images.map((image) => [image.id, image]));
		this.#byName = new Map(
			images.flatMap((image) =>
				[...image.repoTags, ...image.repoDigests].map((name) => [name, image] as const),
			),
		);
	}

	path(id: string): string {
		return join(this.#options.root, `${id.slice(id.indexOf(':') + 1)}.json`);
	}
}
