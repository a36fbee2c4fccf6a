import type { RegistryApi } from './api.ts';
import { combineFailures, networkFailure, SourceFailure } from './failure.ts';
import { discard, type HttpResponse, header } from './http.ts';
import { backOff, MAX_ATTEMPTS } from './retry.ts';
import type { Source } from './sources.ts';

export interface BlobRequest {
	readonly sources: readonly Source[];
	readonly digest: string;
	readonly size: number;
	readonly signal: AbortSignal;
	readonly retryDelayMs: number;
	/** For errors: `Cannot pull layer sha256:… of docker.io/library/busybox:1`. */
	readonly what: string;
}

/** Progress of this much makes earlier failures forgotten: a weak line still brings a large layer. */
const FORGIVING_BYTES = 4 * 1024 * 1024;

/**
 * The bytes of a blob, from its sources in order. After a break it goes on where it was, with Range, or at the
 * next source. Never yields more than `size` bytes. The digest is the reader's to check.
 */
export async function* readBlob(api: RegistryApi, request: BlobRequest): AsyncGenerator<Buffer, void, void> {
	const failures: { source: Source; failure: SourceFailure }[] = [];
	let offset = 0;
	for (const source of request.sources) {
		let failed = 0;
		let forgivenAt = offset;
		for (;;) {
			try {
				for await (const chunk of readFrom(api, source, offset, request)) {
					offset += chunk.length;
					yield chunk;
				}
				return;
			} catch (error) {
				request.signal.throwIfAborted();
				const failure = networkFailure(error);
				if (offset - forgivenAt >= FORGIVING_BYTES) failed = 0;
				forgivenAt = offset;
				failed++;
				if (!failure.again || failed >= MAX_ATTEMPTS) {
					failures.push({ source, failure });
					break;
				}
				await backOff(failed, failure, request.signal, request.retryDelayMs);
			}
		}
	}
	throw combineFailures(request.what, failures);
}

async function* readFrom(
	api: RegistryApi,
	source: Source,
	offset: number,
	request: BlobRequest,
): AsyncGenerator<Buffer> {
	if (offset === request.size && offset > 0) return;
	const range: Record<string, string> = offset === 0 ? {} : { range: `bytes=${offset}-` };
	const response = await api.get(
		source,
		`blobs/${request.digest}`,
		{ 'accept-encoding': 'identity', ...range },
		request.signal,
	);
	let at = startOf(response, offset);
	if (at > offset) {
		await discard(response);
		throw new SourceFailure('UNAVAILABLE', `it answered bytes from ${at} instead of ${offset}`);
	}
	try {
		for await (const chunk of response.chunks) {
			at += chunk.length;
			if (at > request.size)
				throw new SourceFailure(
					'DATA_LOSS',
					`blob ${request.digest} is longer than the ${request.size} bytes that its manifest tells`,
				);
			// A server without ranges sends everything again: what we have is skipped.
			const fresh = at - offset;
			if (fresh > 0) yield fresh >= chunk.length ? chunk : chunk.subarray(chunk.length - fresh);
		}
	} finally {
		response.body.on('error', () => {});
		response.body.destroy();
	}
	if (at < request.size)
		throw new SourceFailure('UNAVAILABLE', `the connection ended after ${at} of ${request.size} bytes`, {
			again: true,
		});
}

/** Where the body begins: 0 for a whole answer. */
function startOf(response: HttpResponse, asked: number): number {
	if (response.status === 200) return 0;
	const start = /^bytes (\d+)-/.exec(header(response, 'content-range') ?? '')?.[1];
	return start === undefined ? asked : Number(start);
}
