import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { aborted, dataLoss, errnoOf, fromSystemError, messageOf } from '#base/errors.ts';
import { changing } from '#base/fault-points.ts';
import type { Log } from '#base/log.ts';
import type { SetAside } from '../store/set-aside.ts';
import { SharedWork } from '../store/shared-work.ts';
import type { FileOp, NativeFiles } from '../types.ts';
import { impliedFolderOps } from './implied-folders.ts';
import { makeLayerRoot } from './layer-root.ts';
import { decodeSnapshotRecord, encodeSnapshotRecord, type SnapshotRecord } from './snapshot-record.ts';
import { SyncGate } from './sync-gate.ts';

/** One unpacked layer on top of a chain, ready to be an overlay's lower. */
export interface Snapshot extends SnapshotRecord {
	/** The snapshot's own folder; the files of the layer lie in `fs` of it. */
	readonly folder: string;
	readonly files: string;
}

export interface SnapshotRequest {
	readonly chainId: string;
	/** Chain ids of the layers below, lowest first. */
	readonly parents: readonly string[];
	readonly diffId: string;
	readonly digest: string;
	/** Unpacks the layer into an empty folder; answers the folders that it implied. */
	readonly unpack: (
		root: string,
		signal: AbortSignal,
	) => Promise<{ readonly impliedFolders: readonly string[] }>;
	/** Settles when the layer is to be made durable; default: at once. It never fails. */
	readonly beforeSync?: () => Promise<void>;
}

export interface SnapshotsOptions {
	readonly root: string;
	readonly files: NativeFiles;
	readonly setAside: SetAside;
	readonly log: Log;
	/** Opening leaves interrupted work where it is, for someone who only looks. */
	readonly lookOnly?: boolean;
}

const RECORD = 'layer.json';
/** The record before everything that it tells of is on disk. */
const HALF_RECORD = 'layer.json.half';

type TreeUsage = Awaited<ReturnType<NativeFiles['treeUsage']>>;

const notUnpacked = (chainId: string): Error =>
	aborted(`The layer below (chain ${chainId}) was not unpacked`);

/**
 * Layers on disk, by chain id: `<number>/fs` with the files and `<number>/layer.json`, which is written last, so a
 * folder without it is interrupted work and nothing else.
 */
export class Snapshots {
	readonly #options: SnapshotsOptions;
	readonly #known = new Map<string, Snapshot>();
	readonly #work = new SharedWork<Snapshot>();
	/** Of layers that are being made: the folder with their files, once nothing about these changes any more. */
	readonly #settled = new Map<string, PromiseWithResolvers<string>>();
	/** Folders that are being filled or removed. */
	readonly #busy = new Set<string>();
	readonly #sync: SyncGate;
	#lastNumber = 0;

	private constructor(options: SnapshotsOptions) {
		this.#options = options;
		this.#sync = new SyncGate(() => options.files.syncFileSystem(options.root));
	}

	/** Reads the records and removes what a crash interrupted. */
	static async open(options: SnapshotsOptions): Promise<Snapshots> {
		const snapshots = new Snapshots(options);
		await mkdir(options.root, { recursive: true, mode: 0o700 });
		for (const name of await readdir(options.root)) await snapshots.#load(name);
		for (const folder of options.lookOnly ? [] : await snapshots.interrupted()) {
			options.log.info('An interrupted layer is removed', { folder });
			await options.files.removeTree(folder).catch((error) => {
				options.log.warn('An interrupted layer cannot be removed', { folder, why: messageOf(error) });
			});
		}
		return snapshots;
	}

	get(chainId: string): Snapshot | undefined {
		return this.#known.get(chainId);
	}

	all(): Iterable<Snapshot> {
		return this.#known.values();
	}

	/** Whether it is being made, for whichever image. */
	isUnderWay(chainId: string): boolean {
		return this.#work.underWay(chainId) !== undefined;
	}

	/**
	 * The snapshot, unpacked if it is not here. Equal requests share one unpacking, whichever image they are for. If
	 * one that another started fails, this one tries by itself: its credentials or mirrors may be better.
	 */
	async ensure(request: SnapshotRequest, signal: AbortSignal): Promise<Snapshot> {
		for (;;) {
			const known = this.#known.get(request.chainId);
			if (known !== undefined) return known;
			const joined = this.#work.join(request.chainId, signal, (own) => this.#make(request, own));
			try {
				return await joined.result;
			} catch (error) {
				if (joined.started || signal.aborted) throw error;
			}
		}
	}

	/** Returns when all that was written before this call survives a power loss, beside the layers too. */
	async sync(): Promise<void> {
		await this.#sync.run();
	}

	/**
	 * Has what is unpacked so far written to the disk, so that the sync which a layer waits for finds less to do. If that
	 * fails, the layers that are under way fail.
	 */
	writeBehind(): void {
		this.#sync.run().catch(() => {});
	}

	/** Forgets a snapshot and removes its files. Missing is fine. */
	async remove(chainId: string): Promise<void> {
		const snapshot = this.#known.get(chainId);
		if (snapshot === undefined) return;
		this.#known.delete(chainId);
		// Without its record a half-removed folder cannot be taken for a whole layer.
		await changing('layer.unlist', () => rm(join(snapshot.folder, RECORD), { force: true }));
		await changing('layer.remove', () => this.#removeFolder(snapshot.folder));
	}

	/** Folders without a record that nobody is working on. */
	async interrupted(): Promise<string[]> {
		const names = await readdir(this.#options.root);
		// Only now: what was made and published meanwhile is not among the names, or owned.
		const owned = new Set([...this.#known.values()].map((snapshot) => snapshot.folder));
		return names
			.map((name) => join(this.#options.root, name))
			.filter((path) => !owned.has(path) && !this.#busy.has(path));
	}

	async close(reason: Error): Promise<void> {
		await this.#work.close(reason);
	}

	async #load(name: string): Promise<void> {
		const folder = join(this.#options.root, name);
		const path = join(folder, RECORD);
		this.#lastNumber = Math.max(this.#lastNumber, Number.parseInt(name, 36) || 0);
		try {
			const record = decodeSnapshotRecord(await readFile(path, 'utf8'), path);
			const twin = this.#known.get(record.chainId);
			if (twin === undefined)
				return void this.#known.set(record.chainId, { ...record, folder, files: join(folder, 'fs') });
			// One of the two has the record of the other, and nobody can tell which.
			this.#known.delete(record.chainId);
			const why = dataLoss(`${folder} and ${twin.folder} both claim to be the layer ${record.digest}`);
			for (const one of [twin.folder, folder]) await this.#setAside(one, why);
		} catch (error) {
			if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return;
			await this.#setAside(folder, error);
		}
	}

	/** With its files, for they may be in use by containers that run: they keep them wherever the folder is. */
	async #setAside(folder: string, why: unknown): Promise<void> {
		await this.#options.setAside.take(folder, `snapshot-${basename(folder)}`, why);
	}

	async #make(request: SnapshotRequest, signal: AbortSignal): Promise<Snapshot> {
		const folder = join(this.#options.root, (++this.#lastNumber).toString(36));
		const files = join(folder, 'fs');
		const settled = Promise.withResolvers<string>();
		settled.promise.catch(() => {});
		this.#settled.set(request.chainId, settled);
		this.#busy.add(folder);
		const failedSyncs = this.#sync.failures;
		try {
			await changing('layer.folder', () => makeLayerRoot(files));
			const { impliedFolders } = await changing('layer.unpack', () => request.unpack(files, signal));
			const record = await this.#prepare(request, folder, files, impliedFolders);
			settled.resolve(files);
			await request.beforeSync?.();
			await changing('layer.sync', () => this.#sync.run(failedSyncs));
			await this.#parentCommitted(request.parents.at(-1));
			signal.throwIfAborted();
			return await this.#commit(record, folder, files);
		} catch (error) {
			settled.reject(error);
			await this.#removeFolder(folder).catch((failure) => {
				this.#options.log.warn('A layer that failed cannot be removed', { folder, why: messageOf(failure) });
			});
			throw error;
		} finally {
			this.#busy.delete(folder);
			this.#settled.delete(request.chainId);
		}
	}

	/** The last changes to the files of a layer, which depend on those below. Answers what they take. */
	async #settle(request: SnapshotRequest, files: string, implied: readonly string[]): Promise<TreeUsage> {
		const { files: native } = this.#options;
		const lowers = await Promise.all(request.parents.toReversed().map((parent) => this.#filesOf(parent)));
		const ops: FileOp[] = await impliedFolderOps(implied, lowers);
		if (ops.length > 0) await changing('layer.files', () => native.applyFiles(files, ops));
		return await native.treeUsage(files);
	}

	/** Of a layer that is here, or will be. */
	async #filesOf(chainId: string): Promise<string> {
		const files = this.#known.get(chainId)?.files ?? (await this.#settled.get(chainId)?.promise);
		if (files === undefined) throw notUnpacked(chainId);
		return files;
	}

	/** Layers are published lowest first, so a chain that is here is here from its bottom. */
	async #parentCommitted(parent: string | undefined): Promise<void> {
		if (parent === undefined) return;
		while (!this.#known.has(parent)) {
			const underWay = this.#work.underWay(parent);
			if (underWay === undefined) throw notUnpacked(parent);
			await underWay;
		}
	}

	/** Everything of a layer but the name of its record, without which it is none. */
	async #prepare(
		request: SnapshotRequest,
		folder: string,
		files: string,
		implied: readonly string[],
	): Promise<SnapshotRecord> {
		const { chainId, diffId, digest } = request;
		const record: SnapshotRecord = {
			chainId,
			diffId,
			digest,
			...(await this.#settle(request, files, implied)),
		};
		await writeRecord(join(folder, HALF_RECORD), encodeSnapshotRecord(record));
		return record;
	}

	/** What it consists of is on disk. Its name will be with the next `sync`; a layer that loses it is brought again. */
	async #commit(record: SnapshotRecord, folder: string, files: string): Promise<Snapshot> {
		await changing('layer.record', () => rename(join(folder, HALF_RECORD), join(folder, RECORD)));
		const snapshot = { ...record, folder, files };
		this.#known.set(record.chainId, snapshot);
		return snapshot;
	}

	async #removeFolder(folder: string): Promise<void> {
		this.#busy.add(folder);
		try {
			await this.#options.files.removeTree(folder);
		} finally {
			this.#busy.delete(folder);
		}
	}
}

async function writeRecord(path: string, text: string): Promise<void> {
	try {
		await writeFile(path, text, { mode: 0o600 });
	} catch (error) {
		throw fromSystemError(`Cannot write ${path}`, error);
	}
}
