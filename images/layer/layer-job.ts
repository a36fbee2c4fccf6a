import type { Hash } from 'node:crypto';
import {
	type Condition,
	dataLoss,
	fromSystemError,
	messageOf,
	resourceExhausted,
	StatusError,
} from '#base/errors.ts';
import { hasherFor } from '../digest.ts';
import type { RegistryApi } from '../registry/api.ts';
import { readBlob } from '../registry/blob.ts';
import type { Source } from '../registry/sources.ts';
import { inflate, isInflateError } from './inflate.ts';
import type { ApplyOps } from './op-batch.ts';
import { TarError } from './tar-reader.ts';
import { type Unpacked, unpackLayer } from './unpack.ts';

export interface LayerLimits {
	/** Members of one layer's tar. */
	readonly maxEntries: number;
	/** Bytes of one layer's tar, uncompressed. */
	readonly maxExpandedBytes: number;
}

/** One layer to bring, as plain data. */
export interface LayerRequest {
	/** The reference, for messages. */
	readonly reference: string;
	readonly sources: readonly Source[];
	readonly digest: string;
	readonly size: number;
	readonly diffId: string;
	/** An empty folder of our own. */
	readonly root: string;
	readonly limits: LayerLimits;
	readonly retryDelayMs: number;
}

export interface LayerJobContext {
	readonly api: RegistryApi;
	readonly apply: ApplyOps;
	readonly onProgress: (doneBytes: number) => void;
	readonly signal: AbortSignal;
}

/** Brings a layer in one go: socket → digest → inflate → diff id → files. Nothing waits on disk in between. */
export async function runLayerJob(request: LayerRequest, context: LayerJobContext): Promise<Unpacked> {
	const name = `layer ${request.digest} of ${request.reference}`;
	const { sources, digest, size, retryDelayMs } = request;
	const { signal } = context;
	const bytes = readBlob(context.api, {
		sources,
		digest,
		size,
		signal,
		retryDelayMs,
		what: `Cannot pull ${name}`,
	});
	const blob = new CheckedBlob(bytes, digest, context.onProgress);
	try {
		const unpacked = await unpackChecked(request, context, blob);
		await blob.check(name);
		return unpacked;
	} catch (error) {
		signal.throwIfAborted();
		throw await blame(error, blob, name, request.root);
	} finally {
		await bytes.return();
	}
}

async function unpackChecked(
	request: LayerRequest,
	context: LayerJobContext,
	blob: CheckedBlob,
): Promise<Unpacked> {
	const hash = hasherFor(request.diffId);
	const tar = counted(inflate(blob), hash, request.limits.maxExpandedBytes);
	const { root, limits } = request;
	const unpacked = await unpackLayer(tar, {
		root,
		apply: context.apply,
		maxEntries: limits.maxEntries,
		signal: context.signal,
	});
	const diffId = `${request.diffId.split(':', 1)[0]}:${hash.digest('hex')}`;
	if (diffId !== request.diffId)
		throw dataLoss(`its diff id is ${diffId}, but the image configuration tells ${request.diffId}`);
	return unpacked;
}

async function* counted(
	chunks: AsyncIterable<Buffer>,
	hash: Hash,
	limit: number,
): AsyncGenerator<Buffer, void, void> {
	let bytes = 0;
	for await (const chunk of chunks) {
		bytes += chunk.length;
		if (bytes > limit) throw resourceExhausted(`it expands to more than ${limit} bytes`);
		hash.update(chunk);
		yield chunk;
	}
}

const MAY_BE_DAMAGE: ReadonlySet<Condition> = new Set(['INVALID_ARGUMENT', 'DATA_LOSS', 'UNIMPLEMENTED']);

/**
 * Damage on the way shows first as a broken tar or a refused entry. Which it is tells the digest: so the rest of
 * the blob is read before anyone is blamed.
 */
async function blame(error: unknown, blob: CheckedBlob, name: string, root: string): Promise<unknown> {
	if (blob.failure !== undefined) return blob.failure;
	const damaged = error instanceof TarError || isInflateError(error);
	if (damaged || (error instanceof StatusError && MAY_BE_DAMAGE.has(error.condition))) {
		try {
			await blob.check(name);
		} catch (worse) {
			return worse;
		}
	}
	if (damaged)
		return dataLoss(`Cannot unpack ${name}: it is no tar that can be read: ${messageOf(error)}`, {
			cause: error,
		});
	if (error instanceof StatusError)
		return new StatusError(error.condition, `Cannot unpack ${name}: ${error.message}`, { cause: error });
	return fromSystemError(`Cannot unpack ${name} into ${root}`, error);
}

/** The compressed bytes on their way, hashed. Whoever reads them may stop early; the rest can still be read. */
class CheckedBlob implements AsyncIterable<Buffer> {
	readonly #source: AsyncGenerator<Buffer, void, void>;
	readonly #digest: string;
	readonly #hash: Hash;
	readonly #onProgress: (doneBytes: number) => void;
	#bytes = 0;
	#checked: string | undefined;
	/** What went wrong while reading, if anything. */
	failure: unknown;

	constructor(
		source: AsyncGenerator<Buffer, void, void>,
		digest: string,
		onProgress: (doneBytes: number) => void,
	) {
		this.#source = source;
		this.#digest = digest;
		this.#hash = hasherFor(digest);
		this.#onProgress = onProgress;
	}

	/** An iterator without `return`: breaking off does not close the source. */
	[Symbol.asyncIterator](): AsyncIterator<Buffer, void, void> {
		return { next: () => this.#next() };
	}

	/** Reads what is left. DATA_LOSS when the bytes are not what the digest says. */
	async check(name: string): Promise<void> {
		for await (const _rest of this);
		this.#checked ??= this.#hash.digest('hex');
		const actual = `${this.#digest.split(':', 1)[0]}:${this.#checked}`;
		if (actual !== this.#digest) throw dataLoss(`Cannot pull ${name}: what came has the digest ${actual}`);
	}

	async #next(): Promise<IteratorResult<Buffer, void>> {
		try {
			const next = await this.#source.next();
			if (!next.done) {
				this.#hash.update(next.value);
				this.#bytes += next.value.length;
				this.#onProgress(this.#bytes);
			}
			return next;
		} catch (error) {
			this.failure = error;
			throw error;
		}
	}
}
