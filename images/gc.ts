import { readdir, stat } from 'node:fs/promises';
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
	readonly #nameHolder: (holder: string) => string;

	constructor(stores: Stores, nameHolder: (holder: string) => string) {
		this.#nameHolder = nameHolder;
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
		const parts = [this.#interrupted(), this.#unneededDocuments(), this.#brokenImages(), this.#unreadable()];
		return [...this.#unneededLayers(), ...(await Promise.all(parts)).flat()];
	}

	/** Images that a holder's container runs on, and whose record or layers are lost. */
	#lostImages(): readonly string[] {
		const { index, leases } = this.#stores;
		const whole = new Set(index.list().map((image) => image.id));
		return leases
			.list()
			.map(({ imageId }) => imageId)
			.filter((id) => !whole.has(id));
	}

	/** None while a container runs on an image without a record: any of them may be one of its layers. */
	#unneededLayers(): Waste[] {
		const { index, snapshots } = this.#stores;
		if (this.#lostImages().some((id) => index.record(id) === undefined)) return [];
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
		const { snapshots, files, setAside } = this.#stores;
		const unreadable = new Set(setAside.left.map(({ path }) => path));
		const interrupted = (await snapshots.interrupted()).filter((path) => !unreadable.has(path));
		const found = interrupted.map(async (path) => ({
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
		const { index, leases } = this.#stores;
		const whole = new Set(index.list().map((image) => image.id));
		return [...index.records()]
			.filter(({ id }) => !whole.has(id))
			.map(({ id, tags, digests }) => {
				const why = `a layer of the image ${tags[0] ?? digests[0]} is gone; pull it again or remove it`;
				const path = index.path(id);
				const [holder] = leases.holdersOf(id);
				// Its other layers are needed as long as somebody runs on them.
				if (holder !== undefined)
					return {
						path,
						why: `${why}, once ${this.#nameHolder(holder)} does not use it`,
						bytes: 0,
						remove: async () => {},
					};
				return { path, why, bytes: 0, remove: () => index.delete(id) };
			});
	}

	/** Left alone while a container runs on an image that is not whole: what that misses may be among them. */
	async #unreadable(): Promise<Waste[]> {
		const { files, setAside } = this.#stores;
		const { root, left } = setAside;
		const inUse = this.#lostImages().length > 0;
		const waste = (path: string, why: string, bytes: number): Waste => ({
			path,
			why: inUse ? `${why}; it stays while a container runs on an image that cannot be read` : why,
			bytes,
			remove: async () => (inUse ? undefined : await files.removeTree(path)),
		});
		const names = await readdir(root).catch(() => []);
		const kept = names.map(async (name) => {
			const path = join(root, name);
			const bytes = (await stat(path).catch(() => undefined))?.size ?? 0;
			return waste(path, 'a record that could not be read was kept here', bytes);
		});
		const unread = left.map(({ path, why }) =>
			waste(
				path,
				`it cannot be read: ${why}; the next start of the daemon would keep it aside in ${root}`,
				0,
			),
		);
		return [...unread, ...(await Promise.all(kept))];
	}
}
