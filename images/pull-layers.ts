import { StatusError } from '#base/errors.ts';
import { changing } from '#base/fault-points.ts';
import type { Descriptor } from './content/manifest.ts';
import { chainIdsOf } from './digest.ts';
import type { LayerLimits } from './layer/layer-job.ts';
import type { Unpacked } from './layer/unpack.ts';
import type { WorkerPool } from './layer/worker-pool.ts';
import { formatReference, type Reference } from './reference.ts';
import type { Source } from './registry/sources.ts';
import { makeLayerRoot } from './snapshot/layer-root.ts';
import type { Snapshot, Snapshots } from './snapshot/snapshots.ts';
import { Semaphore } from './store/semaphore.ts';
import type { ImageMetrics, NativeFiles, PullProgress } from './types.ts';

export interface LayerBringerOptions {
	readonly snapshots: Snapshots;
	readonly files: NativeFiles;
	readonly pool: WorkerPool;
	readonly maxConcurrentLayers: number;
	readonly limits: LayerLimits;
	readonly retryDelayMs: number;
	readonly hooks: ImageMetrics;
}

export interface LayersRequest {
	readonly reference: Reference;
	readonly sources: readonly Source[];
	readonly layers: readonly Descriptor[];
	readonly diffIds: readonly string[];
	readonly signal: AbortSignal;
	readonly tell: (progress: PullProgress) => void;
}

interface OneLayer {
	readonly layer: Descriptor;
	/** Its place in the chain, from below. */
	readonly i: number;
	readonly chainIds: readonly string[];
	/** To be called when there is nothing more to unpack for it. */
	readonly unpacked: () => void;
	readonly allUnpacked: Promise<unknown>;
}

/**
 * Layers of one pull are made durable together: syncing a file system holds up everybody who makes files in it. But
 * what a pull has brought is not to be lost with it, so no layer waits longer for the others.
 */
const SYNC_PATIENCE_MS = 5000;

/**
 * What this many compressed bytes have become is written while the rest comes: the disk would do nothing meanwhile, and
 * all would wait for it at the end. Not more often, for the same reason as above.
 */
const WRITE_BEHIND_BYTES = 16 * 1024 ** 2;

/** Brings the layers of images that are not here yet, several at once over all pulls. */
export class LayerBringer {
	readonly #options: LayerBringerOptions;
	readonly #slots: Semaphore;
	/** Compressed bytes that came since. */
	#unwrittenBytes = 0;

	constructor(options: LayerBringerOptions) {
		this.#options = options;
		this.#slots = new Semaphore(options.maxConcurrentLayers);
	}

	/** Returns the compressed bytes that were brought. The first failure ends the other layers too. */
	async bring(request: LayersRequest): Promise<number> {
		const failing = new AbortController();
		const signal = AbortSignal.any([request.signal, failing.signal]);
		const chainIds = chainIdsOf(request.diffIds);
		const unpacking = request.layers.map(() => Promise.withResolvers<void>());
		const allUnpacked = Promise.all(unpacking.map(({ promise }) => promise));
		let bytes = 0;
		let first: unknown;
		const bringing = request.layers.map(async (layer, i) => {
			const unpacked = (): void => unpacking[i]?.resolve();
			const one = { layer, i, chainIds, unpacked, allUnpacked };
			try {
				if (await this.#bringOne({ ...request, signal }, one)) bytes += layer.size;
			} catch (error) {
				first ??= error;
				failing.abort(error);
			} finally {
				unpacked();
			}
		});
		await Promise.all(bringing);
		if (first !== undefined) throw first;
		return bytes;
	}

	/** Whether bytes had to be brought for it. */
	async #bringOne(
		request: LayersRequest,
		{ layer, i, chainIds, unpacked, allUnpacked }: OneLayer,
	): Promise<boolean> {
		const { snapshots, hooks } = this.#options;
		const [chainId, diffId] = [chainIds[i], request.diffIds[i]];
		if (chainId === undefined || diffId === undefined) return false;
		const known = snapshots.get(chainId);
		const told = (doneBytes: number) =>
			request.tell({ stage: 'layer', digest: layer.digest, doneBytes, totalBytes: layer.size });
		if (known !== undefined) {
			hooks.layerReused?.(known.bytes);
			told(layer.size);
			return false;
		}
		let brought = false;
		const unpack = (root: string, signal: AbortSignal) => {
			brought = true;
			return this.#slots
				.run(signal, () => this.#unpack({ ...request, signal }, layer, diffId, root, told))
				.finally(unpacked);
		};
		// Another pull brings it: ours need not wait for that.
		if (snapshots.isUnderWay(chainId)) unpacked();
		const parents = chainIds.slice(0, i);
		const { digest } = layer;
		const beforeSync = () => atMost(allUnpacked, SYNC_PATIENCE_MS);
		await snapshots.ensure({ chainId, parents, diffId, digest, unpack, beforeSync }, request.signal);
		told(layer.size);
		return brought;
	}

	/** A mirror that sends wrong bytes gets no second word: then the registry itself is asked. */
	async #unpack(
		request: LayersRequest,
		layer: Descriptor,
		diffId: string,
		root: string,
		told: (doneBytes: number) => void,
	): Promise<Unpacked> {
		const from = (sources: readonly Source[]) =>
			this.#runJob({ ...request, sources }, layer, diffId, root, told);
		try {
			return await from(request.sources);
		} catch (error) {
			const origin = request.sources.filter((source) => !source.isMirror);
			const damaged = error instanceof StatusError && error.condition === 'DATA_LOSS';
			if (!damaged || origin.length === request.sources.length) throw error;
			await this.#options.files.removeTree(root);
			await makeLayerRoot(root);
			return await from(origin);
		}
	}

	#runJob(
		request: LayersRequest,
		layer: Descriptor,
		diffId: string,
		root: string,
		onProgress: (doneBytes: number) => void,
	): Promise<Unpacked> {
		const { pool, files, limits, retryDelayMs } = this.#options;
		const { digest, size } = layer;
		const reference = formatReference(request.reference);
		let before = 0;
		const came = (doneBytes: number): void => {
			this.#writeBehind(doneBytes - before);
			before = doneBytes;
			onProgress(doneBytes);
		};
		const job = {
			kind: 'layer',
			reference,
			sources: request.sources,
			digest,
			size,
			diffId,
			root,
			limits,
			retryDelayMs,
		} as const;
		return pool.run(job, {
			signal: request.signal,
			onProgress: came,
			apply: (ops) => changing('layer.files', () => files.applyFiles(root, ops)),
		});
	}

	#writeBehind(bytes: number): void {
		this.#unwrittenBytes += bytes;
		if (this.#unwrittenBytes < WRITE_BEHIND_BYTES) return;
		this.#unwrittenBytes = 0;
		this.#options.snapshots.writeBehind();
	}
}

/** Settles with `work`, or when the time is over. */
async function atMost(work: Promise<unknown>, ms: number): Promise<void> {
	const { promise, resolve } = Promise.withResolvers<void>();
	const timer = setTimeout(resolve, ms);
	await Promise.race([work, promise]);
	clearTimeout(timer);
}

/** The layers of a chain that are here; undefined when one is missing. */
export function wholeChain(chainIds: readonly string[], snapshots: Snapshots): Snapshot[] | undefined {
	const found = chainIds.flatMap((chainId) => snapshots.get(chainId) ?? []);
	return found.length === chainIds.length ? found : undefined;
}
