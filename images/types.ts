/** What the image room offers through its door. It knows no containers, no CRI. */
import type { Log } from '#base/log.ts';

/** File work that Node has no call for; passed in by the daemon (the launcher does it), faked in unit tests. */
export interface NativeFiles {
	/** See FS_OPS in runtime/shim/schema.ts for the kinds. Paths are relative to root. */
	applyFiles(root: string, ops: readonly FileOp[]): Promise<void>;
	/** Removes a tree; missing is fine. */
	removeTree(path: string): Promise<void>;
	treeUsage(path: string): Promise<{ bytes: number; inodes: number }>;
	syncFileSystem(path: string): Promise<void>;
}

export interface FileOp {
	readonly kind: number;
	readonly path: string;
	readonly mode: number;
	readonly uid: number;
	readonly gid: number;
	readonly device: bigint;
	readonly atime_ns: bigint;
	readonly mtime_ns: bigint;
	readonly name: string;
	readonly value: Uint8Array;
}

/** The OCI image configuration (image-spec config.md), with names in our style; absent lists are empty. */
export interface ImageConfig {
	readonly user: string;
	readonly env: readonly string[];
	readonly entrypoint: readonly string[];
	readonly command: readonly string[];
	readonly workingDir: string;
	/** `SIGTERM` or a number as text; '' when unset. */
	readonly stopSignal: string;
	readonly volumes: readonly string[];
	readonly labels: Readonly<Record<string, string>>;
	readonly architecture: string;
	readonly os: string;
	readonly diffIds: readonly string[];
	readonly createdAt?: string;
}

/** One image that is whole on this machine. Immutable; replaced when tags change. */
export interface Image {
	/** Digest of the image configuration: `sha256:…`. */
	readonly id: string;
	/** `docker.io/library/busybox:1`. */
	readonly repoTags: readonly string[];
	/** `docker.io/library/busybox@sha256:…`. Never empty. */
	readonly repoDigests: readonly string[];
	/** Bytes of the layers on disk. */
	readonly sizeBytes: number;
	readonly config: ImageConfig;
	readonly pinned: boolean;
	/** Chain ids of the layers, lowest first; equal chain ids share a snapshot. */
	readonly chainIds: readonly string[];
	readonly manifestDigest: string;
	readonly annotations: Readonly<Record<string, string>>;
}

export interface PullProgress {
	/** resolve | layer | commit */
	readonly stage: 'resolve' | 'layer' | 'commit';
	readonly digest?: string;
	readonly doneBytes: number;
	readonly totalBytes: number;
}

export interface Credentials {
	readonly username?: string;
	readonly password?: string;
	/** base64 of user:password. */
	readonly auth?: string;
	readonly serverAddress?: string;
	readonly identityToken?: string;
	readonly registryToken?: string;
}

export interface PullOptions {
	readonly credentials?: Credentials;
	readonly signal?: AbortSignal;
	readonly onProgress?: (progress: PullProgress) => void;
}

/** The read-only layers of an image, ready to be an overlay's lowers. Held until disposed: no GC removes them. */
export interface LayerLease extends AsyncDisposable {
	/** Folders, topmost first. Never empty (an image without layers gives one empty folder). */
	readonly lowers: readonly string[];
}

export interface FileSystemUsage {
	/** Mount point or folder that identifies the file system. */
	readonly path: string;
	readonly usedBytes: number;
	readonly usedInodes: number;
}

export interface ImageStoreOptions {
	/** The store's folder on disk, made if missing. */
	readonly root: string;
	readonly files: NativeFiles;
	readonly log: Log;
	/** registries.conf (version 2); a missing file means no mirrors. Read anew for every pull. */
	readonly registriesConf: string;
	readonly maxConcurrentLayers?: number;
	readonly workers?: number;
	/** Exact names or globs (`*`) that are reported pinned. */
	readonly pinned?: readonly string[];
	/** Registries spoken to without TLS beside loopback and what registries.conf says. */
	readonly insecure?: readonly string[];
	/** No byte for this long: the connection is given up and tried again. Default 30 s. */
	readonly stallTimeoutMs?: number;
	readonly hooks?: ImageMetrics;
	/** Default 1,000,000 members of a layer's tar. */
	readonly maxLayerEntries?: number;
	/** Default 128 GiB of one layer's tar, uncompressed. */
	readonly maxLayerBytes?: number;
	/** What people know a holder of a lease by. Default: the holder itself. */
	readonly nameHolder?: (holder: string) => string;
	/** Opening leaves interrupted work and what cannot be read where it is, for someone who only looks (`garbage` tells it). */
	readonly lookOnly?: boolean;
	/** First pause before a failed request is tried again; doubled each time. Default 250 ms. */
	readonly retryDelayMs?: number;
}

/** For the daemon's metrics. */
export interface ImageMetrics {
	pulled?(result: { ok: boolean; bytes: number; elapsedMs: number }): void;
	layerReused?(bytes: number): void;
}

export interface ImageStore extends AsyncDisposable {
	list(): readonly Image[];
	/** By id, id prefix of 12 or more digits, tag, digest or short name; undefined when not here. INVALID_ARGUMENT for what is no reference. */
	find(reference: string): Image | undefined;
	/** Shared with every other call for the same reference, platform and credentials. */
	pull(reference: string, options?: PullOptions): Promise<Image>;
	/** Removes all names of the image that the reference finds (a tag or digest of several: that name only) and what no other image needs. Missing is fine. FAILED_PRECONDITION while leased. */
	remove(reference: string): Promise<void>;
	/** Lowers of the image; `holder` (a container id) makes the lease survive a restart of the daemon: it is given again by `lease` with the same holder and freed by `release`. */
	lease(imageId: string, holder: string): Promise<LayerLease>;
	/** The same folders for who has asked for a lease that is not on disk yet. NOT_FOUND. */
	layersOf(imageId: string): readonly string[];
	release(holder: string): Promise<void>;
	/** Holders known on disk, for recovery. */
	holders(): readonly { readonly holder: string; readonly imageId: string }[];
	usage(): Promise<FileSystemUsage>;
	/** Unreferenced layers and interrupted work; `fix` removes them. */
	garbage(options?: {
		readonly fix?: boolean;
	}): Promise<readonly { readonly path: string; readonly why: string; readonly bytes: number }[]>;
}
