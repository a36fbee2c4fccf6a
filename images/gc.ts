import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { changing } from '#base/fault-points.ts';
import type { ContentStore } from './content/content-store.ts';
import type { Snapshots } from './snapshot/snapshots.ts';
import type { ImageIndex } from './store/image-index.ts';
import type { Leases } from './store/leases.ts';
import type { SetAside } from './store/set-aside.ts';
import type { NativeFiles } from './types.ts';

export interface Stores {
	readonly index: ImageIndex;
	readonly snapshots: Snapshots;
	readonly content: ContentStore;
	readonly leases: Leases;
	readonly setAside: SetAside;
	readonly files: NativeFiles;
}

/** Something that nothing needs, and how to be rid of it. */
export interface Waste {
	readonly path: string;
	readonly why: string;
	readonly bytes: number;
	readonly remove: () => Promise<void>;
}

/** The one graph of what needs what: images need documents and layers, pulls under way hold layers. */
export class GarbageCollector {
	readonly #stores: Stores;
	readonly #held = new Map<string, number>();

	constructor(stores: Stores) {
		this.#stores = stores;
	}

	/** Keeps layers, here already or coming, until the handle is disposed. */
	hold(chainIds: readonly string[]): Disposable {
		const counted = (chainId: string, step: number) => {
			const count = (this.#held.get(chainId) ?? 0) + step;
			if (count === 0) this.#held.delete(chainId);
			else this.#held.set(chainId, count);
		};
		for (const chainId of chainIds) counted(chainId, 1);
		return {
			[Symbol.dispose]: () => {
				for (const chainId of chainIds) counted(chainId, -1);
			},
		};
	}

	/** Removes layers that nothing needs. Which those are is decided at once; only the files take time. */
	async sweepLayers(): Promise<void> {
		await Promise.all(this.#unneededLayers().map((waste) => waste.remove()));
	}

	/** Removes what could not be removed when its layer failed, for want of processes for example. */
	async sweepInterrupted(): Promise<void> {
		const { snapshots, files } = this.#stores;
		for (const folder of await snapshots.interrupted()) await files.removeTree(folder);
	}

	/** Removes documents that no image has. Not while one is being published. */
	async sweepDocuments(): Promise<void> {
		const needed = new Set([...this.#stores.index.records()].flatMap((record) => record.documents));
		const files = await this.#stores.content.list();
		const unneeded = files.filter(({ digest }) => digest === undefined || !needed.has(digest));
		await changing('image.documents', () => this.#stores.content.delete(unneeded));
	}

	/** Everything that is left over, for the doctor. */
	async find(): Promise<Waste[]> {
		const parts = [
			this.#interrupted(),
			this.#unneededDocuments(),
			this.#brokenImages(),
			this.#staleLeases(),
			this.#unreadable(),
		];
		return [...this.#unneededLayers(), ...(await Promise.all(parts)).flat()];
	}

	#unneededLayers(): Waste[] {
		const { index, snapshots } = this.#stores;
		const needed = new Set([...index.records()].flatMap((record) => record.chainIds));
		return [...snapshots.all()]
			.filter(({ chainId }) => !needed.has(chainId) && !this.#held.has(chainId))
			.map(({ chainId, folder, bytes, digest }) => ({
				path: folder,
				why: `no image needs the layer ${digest}`,
				bytes,
				remove: () => snapshots.remove(chainId),
			}));
	}

	async #interrupted(): Promise<Waste[]> {
		const { snapshots, files } = this.#stores;
		const found = (await snapshots.interrupted()).map(async (path) => ({
			path,
			why: 'the unpacking or removal of a layer was interrupted',
			bytes: (await files.treeUsage(path).catch(() => undefined))?.bytes ?? 0,
			remove: () => files.removeTree(path),
		}));
		return await Promise.all(found);
	}

	async #unneededDocuments(): Promise<Waste[]> {
		const { index, content } = this.#stores;
		const needed = new Set([...index.records()].flatMap((record) => record.documents));
		return (await content.list())
			.filter(({ digest }) => digest === undefined || !needed.has(digest))
			.map((file) => ({
				path: file.path,
				why: 'no image has this document',
				bytes: file.bytes,
				remove: () => content.delete([file]),
			}));
	}

	async #brokenImages(): Promise<Waste[]> {
		const { index } = this.#stores;
		const whole = new Set(index.list().map((image) => image.id));
		return [...index.records()]
			.filter(({ id }) => !whole.has(id))
			.map(({ id, tags, digests }) => ({
				path: index.path(id),
				why: `a layer of the image ${tags[0] ?? digests[0]} is gone; pull it again or remove it`,
				bytes: 0,
				remove: () => index.delete(id),
			}));
	}

	async #staleLeases(): Promise<Waste[]> {
		const { index, leases } = this.#stores;
		return leases
			.list()
			.filter(({ imageId }) => index.record(imageId) === undefined)
			.map(({ holder, imageId }) => ({
				path: leases.path(holder),
				why: `${holder} holds the image ${imageId}, which is not here`,
				bytes: 0,
				remove: () => leases.release(holder),
			}));
	}

	async #unreadable(): Promise<Waste[]> {
		const { root, left } = this.#stores.setAside;
		const names = await readdir(root).catch(() => []);
		const found = names.map(async (name) => {
			const path = join(root, name);
			const bytes = (await stat(path).catch(() => undefined))?.size ?? 0;
			return {
				path,
				why: 'a record that could not be read was kept here',
				bytes,
				remove: () => rm(path, { recursive: true, force: true }),
			};
		});
		const unread = left.map(({ path, why }) => ({
			path,
			why: `it cannot be read: ${why}; the next start of the daemon would keep it aside in ${root}`,
			bytes: 0,
			remove: () => rm(path, { force: true }),
		}));
		return [...unread, ...(await Promise.all(found))];
	}
}
