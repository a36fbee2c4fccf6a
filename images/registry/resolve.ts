import { dataLoss, notFound } from '#base/errors.ts';
import { decodeConfig } from '../content/config.ts';
import { type Descriptor, decodeManifest } from '../content/manifest.ts';
import { matchesDigest, parseDigest, sha256Of } from '../digest.ts';
import { MANIFEST_ACCEPT, requireLayer } from '../media-types.ts';
import { bestMatch, fitsPlatform, formatPlatform, type Platform } from '../platform.ts';
import { formatReference, type Reference } from '../reference.ts';
import type { ImageConfig } from '../types.ts';
import type { RegistryApi } from './api.ts';
import { combineFailures, networkFailure, SourceFailure } from './failure.ts';
import { header, readBody } from './http.ts';
import { retrying } from './retry.ts';
import type { Source } from './sources.ts';

/** A document as it came, to be kept by its digest. */
export interface Document {
	readonly digest: string;
	readonly bytes: Uint8Array;
}

/** What a reference stands for on this platform: everything but the layers. */
export interface ResolvedImage {
	/** What the reference itself stands for: an index or a manifest. */
	readonly topDigest: string;
	readonly manifestDigest: string;
	readonly configDigest: string;
	readonly layers: readonly Descriptor[];
	readonly config: ImageConfig;
	readonly annotations: Readonly<Record<string, string>>;
	readonly documents: readonly Document[];
}

export interface ResolveRequest {
	readonly reference: Reference;
	readonly platform: Platform;
	readonly sources: readonly Source[];
	readonly signal: AbortSignal;
	readonly retryDelayMs: number;
	/** A document that is already here, by digest; undefined when it is not. */
	readonly stored: (digest: string) => Promise<Uint8Array | undefined>;
}

/** distribution-spec: manifests up to 4 MiB must be taken. */
const MAX_DOCUMENT = 4 * 1024 * 1024;
const MAX_INDEX_DEPTH = 3;

/** Reference → (index →) manifest → configuration. Every document is checked against its digest. */
export async function resolveImage(api: RegistryApi, request: ResolveRequest): Promise<ResolvedImage> {
	const { reference } = request;
	const documents: Document[] = [];
	let next: { digest?: string; at: string } = {
		at: reference.digest ?? reference.tag ?? 'latest',
		...(reference.digest === undefined ? {} : { digest: reference.digest }),
	};
	for (let depth = 0; depth <= MAX_INDEX_DEPTH; depth++) {
		const fetched = await fetchDocument(api, request, 'manifests', next.at, next.digest);
		documents.push(fetched);
		const document = decodeManifest(fetched.bytes, fetched.digest, fetched.contentType);
		const topDigest = documents[0]?.digest ?? fetched.digest;
		if (document.kind === 'manifest')
			return await withConfig(api, request, {
				...document,
				topDigest,
				manifestDigest: fetched.digest,
				documents,
			});
		const entry = choose(document.manifests, request, fetched.digest);
		next = { digest: entry.digest, at: entry.digest };
	}
	throw notFound(
		`Cannot pull ${formatReference(reference)}: its indexes lead to further indexes, deeper than ${MAX_INDEX_DEPTH}`,
	);
}

function choose(manifests: readonly Descriptor[], request: ResolveRequest, digest: string): Descriptor {
	const entry = bestMatch(manifests, request.platform);
	if (entry !== undefined) return entry;
	const offered = manifests.map((manifest) =>
		manifest.platform === undefined ? 'any' : formatPlatform(manifest.platform),
	);
	throw notFound(
		`Cannot pull ${formatReference(request.reference)}: index ${digest} has no image for ${formatPlatform(request.platform)}, only for ${offered.slice(0, 20).join(', ') || 'nothing'}`,
	);
}

interface FoundManifest {
	readonly config: Descriptor;
	readonly layers: readonly Descriptor[];
	readonly annotations: Readonly<Record<string, string>>;
	readonly topDigest: string;
	readonly manifestDigest: string;
	readonly documents: Document[];
}

async function withConfig(
	api: RegistryApi,
	request: ResolveRequest,
	manifest: FoundManifest,
): Promise<ResolvedImage> {
	const what = `Cannot pull ${formatReference(request.reference)}`;
	const { digest } = manifest.config;
	const fetched = await fetchDocument(api, request, 'blobs', digest, digest);
	const config = decodeConfig(fetched.bytes, digest);
	if (!fitsPlatform(config, request.platform)) {
		throw notFound(
			`${what}: it is for ${formatPlatform(config)}, this machine is ${formatPlatform(request.platform)}`,
		);
	}
	if (config.diffIds.length !== manifest.layers.length) {
		throw dataLoss(
			`${what}: ` +
				`its manifest has ${manifest.layers.length} layers, its configuration ${config.diffIds.length} diff ids`,
		);
	}
	for (const layer of manifest.layers) requireLayer(layer.mediaType, layer.digest);
	const { topDigest, manifestDigest, layers, annotations, documents } = manifest;
	return {
		topDigest,
		manifestDigest,
		configDigest: digest,
		layers,
		config,
		annotations,
		documents: [...documents, fetched],
	};
}

async function fetchDocument(
	api: RegistryApi,
	request: ResolveRequest,
	kind: 'manifests' | 'blobs',
	at: string,
	digest: string | undefined,
): Promise<Document & { contentType: string }> {
	const stored = digest === undefined ? undefined : await request.stored(digest);
	if (stored !== undefined && digest !== undefined) return { digest, bytes: stored, contentType: '' };
	const failures: { source: Source; failure: SourceFailure }[] = [];
	for (const source of request.sources) {
		try {
			return await retrying(request.signal, request.retryDelayMs, () =>
				fetchFrom(api, source, request, `${kind}/${at}`, digest),
			);
		} catch (error) {
			request.signal.throwIfAborted();
			failures.push({ source, failure: networkFailure(error) });
		}
	}
	throw combineFailures(`Cannot pull ${formatReference(request.reference)}`, failures);
}

async function fetchFrom(
	api: RegistryApi,
	source: Source,
	request: ResolveRequest,
	path: string,
	digest: string | undefined,
) {
	const accept = path.startsWith('manifests/') ? MANIFEST_ACCEPT : '*/*';
	const response = await api.get(source, path, { accept, 'accept-encoding': 'identity' }, request.signal);
	const bytes = await readBody(response, MAX_DOCUMENT, path);
	const promised = digest ?? digestHeader(header(response, 'docker-content-digest'));
	if (promised !== undefined && !matchesDigest(bytes, promised)) {
		throw new SourceFailure('DATA_LOSS', `what it sent for ${path} is ${sha256Of(bytes)}, not ${promised}`);
	}
	return { digest: promised ?? sha256Of(bytes), bytes, contentType: header(response, 'content-type') ?? '' };
}

/** The digest that the registry tells for a tag, if it is one that we can check. */
function digestHeader(value: string | undefined): string | undefined {
	return value !== undefined && parseDigest(value) !== undefined ? value : undefined;
}
