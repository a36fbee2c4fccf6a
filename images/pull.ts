import { cancelled, StatusError } from '#base/errors.ts';
import { changing } from '#base/fault-points.ts';
import type { KeyedLock } from '#base/keyed-lock.ts';
import { chainIdsOf } from './digest.ts';
import type { GarbageCollector, Stores } from './gc.ts';
import type { WorkerPool } from './layer/worker-pool.ts';
import { formatPlatform, type Platform } from './platform.ts';
import type { LayerBringer } from './pull-layers.ts';
import { formatReference, nameOf, parseReference, type Reference, tagNameOf } from './reference.ts';
import { fingerprint } from './registry/credentials.ts';
import { readRegistriesConf } from './registry/registries-conf.ts';
import type { ResolvedImage } from './registry/resolve.ts';
import { type Source, sourcesFor } from './registry/sources.ts';
import { namesWith } from './store/names.ts';
import { SharedWork } from './store/shared-work.ts';
import type { Image, ImageMetrics, PullOptions, PullProgress } from './types.ts';

export interface PullerOptions {
	readonly stores: Stores;
	readonly garbage: GarbageCollector;
	readonly pool: WorkerPool;
	readonly layers: LayerBringer;
	/** Serialises what changes the index. */
	readonly mutations: KeyedLock;
	readonly platform: Platform;
	readonly registriesConf: string;
	readonly insecure: readonly string[];
	readonly retryDelayMs: number;
	readonly hooks: ImageMetrics;
}

type Tell = (progress: PullProgress) => void;

/** Resolve → missing layers in parallel → publish. */
export class Puller {
	readonly #options: PullerOptions;
	readonly #shared = new SharedWork<Image>();
	readonly #listeners = new Map<string, Set<Tell>>();

	constructor(options: PullerOptions) {
		this.#options = options;
	}

	/** Equal requests share one pull, which ends early only when the last of them has left. */
	async pull(text: string, options: PullOptions): Promise<Image> {
		const reference = parseReference(text);
		const platform = formatPlatform(this.#options.platform);
		const key = JSON.stringify([formatReference(reference), platform, fingerprint(options.credentials)]);
		using _listening = this.#listen(key, options.onProgress);
		try {
			return await this.#shared.join(key, options.signal, (signal) =>
				this.#measured(reference, key, options, signal),
			).result;
		} catch (error) {
			if (error instanceof StatusError || !options.signal?.aborted) throw error;
			throw cancelled(`The pull of ${formatReference(reference)} was cancelled`, { cause: error });
		}
	}

	async close(): Promise<void> {
		await this.#shared.close(cancelled('The image store is closing'));
	}

	#listen(key: string, onProgress: Tell | undefined): Disposable {
		const listeners = this.#listeners.get(key) ?? new Set();
		if (onProgress !== undefined) this.#listeners.set(key, listeners.add(onProgress));
		return {
			[Symbol.dispose]: () => {
				if (onProgress !== undefined) listeners.delete(onProgress);
				if (listeners.size === 0) this.#listeners.delete(key);
			},
		};
	}

	async #measured(
		reference: Reference,
		key: string,
		options: PullOptions,
		signal: AbortSignal,
	): Promise<Image> {
		const began = performance.now();
		const report = (ok: boolean, bytes: number) =>
			this.#options.hooks.pulled?.({ ok, bytes, elapsedMs: performance.now() - began });
		const tell: Tell = (progress) => {
			for (const listener of this.#listeners.get(key) ?? []) listener(progress);
		};
		try {
			const { image, bytes } = await this.#run(
				reference,
				await this.#sources(reference, options),
				signal,
				tell,
			);
			report(true, bytes);
			return image;
		} catch (error) {
			report(false, 0);
			await this.#giveBack(error);
			throw error;
		}
	}

	/** What came before the room ran out takes it from everybody else. What fails here the doctor finds. */
	async #giveBack(error: unknown): Promise<void> {
		if (!(error instanceof StatusError) || error.condition !== 'RESOURCE_EXHAUSTED') return;
		const { garbage, mutations } = this.#options;
		await mutations.run('index', () => garbage.sweepDocuments()).catch(() => {});
		await garbage.sweepLayers().catch(() => {});
	}

	async #sources(reference: Reference, { credentials }: PullOptions): Promise<Source[]> {
		const { registriesConf, insecure } = this.#options;
		const rules = await readRegistriesConf(registriesConf);
		return sourcesFor(reference, rules, { insecure, ...(credentials === undefined ? {} : { credentials }) });
	}

	async #run(
		reference: Reference,
		sources: readonly Source[],
		signal: AbortSignal,
		tell: Tell,
	): Promise<{ image: Image; bytes: number }> {
		const { pool, platform, retryDelayMs, garbage, layers: bringer } = this.#options;
		tell({ stage: 'resolve', doneBytes: 0, totalBytes: 0 });
		await garbage.sweepInterrupted().catch(() => {});
		const resolved = await pool.run(
			{ kind: 'resolve', reference, platform, sources, retryDelayMs },
			{ signal },
		);
		const { layers, config } = resolved;
		using _held = garbage.hold(chainIdsOf(config.diffIds));
		const bytes = await bringer.bring({ reference, sources, layers, diffIds: config.diffIds, signal, tell });
		const total = layers.reduce((sum, layer) => sum + layer.size, 0);
		tell({ stage: 'commit', doneBytes: total, totalBytes: total });
		signal.throwIfAborted();
		return {
			image: await this.#options.mutations.run('index', () => this.#publish(reference, resolved)),
			bytes,
		};
	}

	/** From here on the image is seen. Everything that it needs is on disk before its record is. */
	async #publish(reference: Reference, resolved: ResolvedImage): Promise<Image> {
		const { index, content, snapshots } = this.#options.stores;
		for (const { digest, bytes } of resolved.documents)
			await changing('image.document', () => content.write(digest, bytes));
		await changing('image.sync', () => snapshots.sync());
		const known = index.record(resolved.configDigest);
		const digests = [resolved.topDigest, resolved.manifestDigest].map(
			(digest) => `${nameOf(reference)}@${digest}`,
		);
		const names = namesWith(known ?? { tags: [], digests: [] }, tagNameOf(reference), digests);
		const documents = [
			...new Set([...(known?.documents ?? []), ...resolved.documents.map(({ digest }) => digest)]),
		];
		const { configDigest, manifestDigest, config, annotations } = resolved;
		const chainIds = chainIdsOf(config.diffIds);
		return await index.put({
			id: configDigest,
			...names,
			manifestDigest,
			chainIds,
			documents,
			annotations,
			config,
			updatedAtMs: Date.now(),
		});
	}
}
