import { chmod, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { removeHalfWritten, writeFileAtomic } from '#base/atomic-file.ts';
import { dataLoss, errnoOf, failedPrecondition, fromSystemError, notFound } from '#base/errors.ts';
import { KeyedLock } from '#base/keyed-lock.ts';
import { ContentStore } from './content/content-store.ts';
import { JsonDocument } from './content/json-document.ts';
import { GarbageCollector, type Stores } from './gc.ts';
import { WorkerPool } from './layer/worker-pool.ts';
import { hostPlatform } from './platform.ts';
import { Puller } from './pull.ts';
import { LayerBringer, wholeChain } from './pull-layers.ts';
import { Snapshots } from './snapshot/snapshots.ts';
import { ImageIndex } from './store/image-index.ts';
import type { ImageRecord } from './store/image-record.ts';
import { Leases } from './store/leases.ts';
import { namesWithout } from './store/names.ts';
import { pinnedBy } from './store/pinned.ts';
import { SetAside } from './store/set-aside.ts';
import type {
	FileSystemUsage,
	Image,
	ImageStore,
	ImageStoreOptions,
	LayerLease,
	PullOptions,
} from './types.ts';

const STORE_VERSION = 1;
const DEFAULT_STALL_MS = 30_000;
const DEFAULT_RETRY_DELAY_MS = 250;
const DEFAULT_CONCURRENT_LAYERS = 6;
const DEFAULT_WORKERS = 3;
const DEFAULT_MAX_ENTRIES = 1_000_000;
const DEFAULT_MAX_LAYER_BYTES = 128 * 1024 ** 3;

/** Opens the store, made if missing; what a crash interrupted is removed. FAILED_PRECONDITION for a newer store. */
export async function openImageStore(options: ImageStoreOptions): Promise<ImageStore> {
	const { root, files, log } = options;
	const lookOnly = options.lookOnly ?? false;
	const setAside = new SetAside(join(root, 'unreadable'), log, { lookOnly });
	await prepareRoot(root, setAside, lookOnly);
	const content = new ContentStore(join(root, 'content'));
	if (!lookOnly) {
		for (const folder of ['.', 'images', 'leases']) await removeHalfWritten(join(root, folder));
		await content.sweep();
	}
	await content.measure();
	const snapshots = await Snapshots.open({
		root: join(root, 'snapshots'),
		files,
		setAside,
		log,
		lookOnly,
	});
	const isPinned = pinnedBy(options.pinned ?? []);
	const present = (record: ImageRecord) => imageOf(record, snapshots, isPinned);
	const index = await ImageIndex.open({ root: join(root, 'images'), setAside, present });
	const leases = await Leases.open({ root: join(root, 'leases'), setAside });
	for (const { id, tags } of index.records()) {
		if (index.find(id) === undefined) log.warn('An image misses layers; pull it again', { id, tags });
	}
	return new DiskImageStore(options, { index, snapshots, content, leases, setAside, files });
}

async function prepareRoot(root: string, setAside: SetAside, lookOnly: boolean): Promise<void> {
	const path = join(root, 'version.json');
	try {
		const version = await readVersion(path, setAside);
		if (version !== undefined && version !== STORE_VERSION) {
			throw failedPrecondition(
				`Cannot open the image store ${root}: it is of version ${version}, this program knows ${STORE_VERSION}`,
			);
		}
		if (lookOnly) return;
		await mkdir(join(root, 'empty'), { recursive: true, mode: 0o700 });
		await chmod(join(root, 'empty'), 0o755);
		// Set-id programs of images lie below: nobody but root may reach them.
		await chmod(root, 0o700);
		if (version === undefined)
			await writeFileAtomic(path, `{"version":${STORE_VERSION}}\n`, { durable: true });
	} catch (error) {
		throw fromSystemError(`Cannot open the image store ${root}`, error);
	}
}

/** undefined when there is none. One that cannot be read is set aside: every record tells its version itself. */
async function readVersion(path: string, setAside: SetAside): Promise<number | undefined> {
	try {
		const version = JsonDocument.parse(await readFile(path, 'utf8'), path).count('version');
		if (version === undefined) throw dataLoss(`Cannot read ${path}: it tells no version`);
		return version;
	} catch (error) {
		if (errnoOf(error) !== 'ENOENT') await setAside.take(path, 'version.json', error);
		return undefined;
	}
}

function imageOf(
	record: ImageRecord,
	snapshots: Snapshots,
	isPinned: (names: readonly string[]) => boolean,
): Image | undefined {
	const layers = wholeChain(record.chainIds, snapshots);
	if (layers === undefined) return undefined;
	const { id, tags, digests, config, chainIds, manifestDigest, annotations } = record;
	const sizeBytes = layers.reduce((sum, layer) => sum + layer.bytes, 0);
	return {
		id,
		repoTags: tags,
		repoDigests: digests,
		sizeBytes,
		config,
		pinned: isPinned([...tags, ...digests, id]),
		chainIds,
		manifestDigest,
		annotations,
	};
}

class DiskImageStore implements ImageStore {
	readonly #root: string;
	readonly #stores: Stores;
	readonly #nameHolder: (holder: string) => string;
	readonly #garbage: GarbageCollector;
	readonly #pool: WorkerPool;
	readonly #puller: Puller;
	readonly #mutations = new KeyedLock();

	constructor(options: ImageStoreOptions, stores: Stores) {
		const { root, files, registriesConf, insecure = [], hooks = {} } = options;
		const retryDelayMs = options.retryDelayMs ?? DEFAULT_RETRY_DELAY_MS;
		this.#root = root;
		this.#stores = stores;
		this.#nameHolder = options.nameHolder ?? ((holder) => holder);
		this.#garbage = new GarbageCollector(stores, this.#nameHolder);
		const stallTimeoutMs = options.stallTimeoutMs ?? DEFAULT_STALL_MS;
		this.#pool = new WorkerPool(options.workers ?? DEFAULT_WORKERS, {
			stallTimeoutMs,
			contentRoot: join(root, 'content'),
		});
		const layers = new LayerBringer({
			snapshots: stores.snapshots,
			files,
			pool: this.#pool,
			maxConcurrentLayers: options.maxConcurrentLayers ?? DEFAULT_CONCURRENT_LAYERS,
			limits: {
				maxEntries: options.maxLayerEntries ?? DEFAULT_MAX_ENTRIES,
				maxExpandedBytes: options.maxLayerBytes ?? DEFAULT_MAX_LAYER_BYTES,
			},
			retryDelayMs,
			hooks,
		});
		this.#puller = new Puller({
			stores,
			garbage: this.#garbage,
			pool: this.#pool,
			layers,
			mutations: this.#mutations,
			platform: hostPlatform(),
			registriesConf,
			insecure,
			retryDelayMs,
			hooks,
		});
	}

	list(): readonly Image[] {
		return this.#stores.index.list();
	}

	find(reference: string): Image | undefined {
		return this.#stores.index.find(reference);
	}

	async pull(reference: string, options: PullOptions = {}): Promise<Image> {
		return await this.#puller.pull(reference, options);
	}

	async remove(reference: string): Promise<void> {
		await this.#mutations.run('index', async () => {
			await this.#removeNames(reference);
			await this.#garbage.sweepDocuments();
		});
		await this.#garbage.sweepLayers();
	}

	async #removeNames(reference: string): Promise<void> {
		const { index, leases } = this.#stores;
		const id = this.find(reference)?.id;
		const record = id === undefined ? undefined : index.record(id);
		if (record === undefined) return;
		const left = namesWithout(record, reference);
		if (left !== undefined) {
			await index.put({ ...record, ...left, updatedAtMs: Date.now() });
			return;
		}
		const holders = leases.holdersOf(record.id);
		if (holders.length > 0) {
			throw failedPrecondition(
				`Cannot remove image ${reference} (${record.id}): ${holders.slice(0, 5).map(this.#nameHolder).join(', ')} ${holders.length === 1 ? 'uses' : 'use'} it; remove ${holders.length === 1 ? 'that' : 'those'} first`,
			);
		}
		await index.delete(record.id);
	}

	async lease(imageId: string, holder: string): Promise<LayerLease> {
		const image = this.#stores.index.find(imageId);
		if (image === undefined) throw notFound(`Cannot lease image ${imageId} to ${holder}: it is not here`);
		await this.#stores.leases.take({ holder, imageId: image.id });
		return { lowers: this.layersOf(imageId), [Symbol.asyncDispose]: () => this.release(holder) };
	}

	layersOf(imageId: string): readonly string[] {
		const image = this.#stores.index.find(imageId);
		if (image === undefined) throw notFound(`Cannot use the layers of image ${imageId}: it is not here`);
		const layers = wholeChain(image.chainIds, this.#stores.snapshots) ?? [];
		return layers.length === 0 ? [join(this.#root, 'empty')] : layers.map((layer) => layer.files).reverse();
	}

	async release(holder: string): Promise<void> {
		await this.#stores.leases.release(holder);
	}

	holders(): readonly { readonly holder: string; readonly imageId: string }[] {
		return this.#stores.leases.list();
	}

	async usage(): Promise<FileSystemUsage> {
		const { bytes, inodes } = this.#stores.content.usage;
		let [usedBytes, usedInodes] = [bytes, inodes + this.list().length];
		for (const snapshot of this.#stores.snapshots.all()) {
			usedBytes += snapshot.bytes;
			usedInodes += snapshot.inodes + 2;
		}
		return { path: this.#root, usedBytes, usedInodes };
	}

	async garbage(options: { readonly fix?: boolean } = {}) {
		return await this.#mutations.run('index', async () => {
			const found = await this.#garbage.find();
			if (options.fix) for (const waste of found) await waste.remove();
			return found.map(({ path, why, bytes }) => ({ path, why, bytes }));
		});
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.#puller.close();
		await this.#pool[Symbol.asyncDispose]();
	}
}
