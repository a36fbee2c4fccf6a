import { Agent, type Dispatcher, request } from 'undici';
import { lookUpElsewhere, refuseLinkLocal } from './elsewhere.ts';
import { networkFailure, SourceFailure } from './failure.ts';
import { steady } from './steady.ts';

export interface HttpRequest {
	readonly method?: 'GET' | 'POST';
	readonly headers: Readonly<Record<string, string>>;
	readonly body?: string;
	readonly signal: AbortSignal;
	/** The header Authorization for a URL; asked again after a redirect, so it never reaches another host. */
	readonly authorize?: (url: URL) => string | undefined;
	/** Origin of the registry on whose word we ask, when it is another than that of the URL. */
	readonly sentBy?: string;
}

export interface HttpResponse {
	/** Where the answer came from, after redirects. */
	readonly url: URL;
	readonly status: number;
	readonly headers: Readonly<Record<string, string | string[] | undefined>>;
	readonly body: Dispatcher.ResponseData['body'];
	/** The bytes of the body, as long as they come at a pace. */
	readonly chunks: AsyncIterable<Buffer>;
}

const MAX_REDIRECTS = 5;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/**
 * HTTP with a stall watchdog: whoever sends no byte for stallTimeoutMs, or hardly any, is given up. One per worker
 * thread.
 */
export class HttpClient {
	readonly #stallTimeoutMs: number;
	/** For the registries that somebody named, and for where those send us. */
	readonly #agents: { readonly named: Agent; readonly elsewhere: Agent };

	constructor(stallTimeoutMs: number) {
		const agent = (connect: object) =>
			new Agent({
				connect: { timeout: Math.min(stallTimeoutMs, 15_000), ...connect },
				headersTimeout: stallTimeoutMs,
				bodyTimeout: stallTimeoutMs,
				maxHeaderSize: 64 * 1024,
			});
		this.#stallTimeoutMs = stallTimeoutMs;
		this.#agents = { named: agent({}), elsewhere: agent({ lookup: lookUpElsewhere() }) };
	}

	/** Follows redirects, but never from TLS to plain text. Statuses are the caller's to judge; SourceFailure otherwise. */
	async send(target: URL, options: HttpRequest): Promise<HttpResponse> {
		const named = options.sentBy ?? target.origin;
		let url = target;
		for (let hops = 0; ; hops++) {
			const response = await this.#once(url, options, url.origin === named);
			const location = header(response, 'location');
			if (!REDIRECTS.has(response.status) || location === undefined) return response;
			await discard(response);
			if (hops === MAX_REDIRECTS)
				throw new SourceFailure('UNAVAILABLE', `more than ${MAX_REDIRECTS} redirects`);
			url = redirected(url, location);
		}
	}

	async #once(url: URL, options: HttpRequest, isNamed: boolean): Promise<HttpResponse> {
		if (!isNamed) refuseLinkLocal(url);
		const authorization = options.authorize?.(url);
		const headers = {
			...options.headers,
			'user-agent': 'gantry',
			...(authorization === undefined ? {} : { authorization }),
		};
		try {
			const {
				statusCode,
				headers: answered,
				body,
			} = await request(url, {
				dispatcher: isNamed ? this.#agents.named : this.#agents.elsewhere,
				method: options.method ?? 'GET',
				headers,
				body: options.body ?? null,
				signal: options.signal,
			});
			const chunks = steady(body, this.#stallTimeoutMs);
			return { url, status: statusCode, headers: answered, body, chunks };
		} catch (error) {
			options.signal.throwIfAborted();
			throw networkFailure(error);
		}
	}

	async close(): Promise<void> {
		await Promise.all([this.#agents.named.destroy(), this.#agents.elsewhere.destroy()]);
	}
}

function redirected(from: URL, location: string): URL {
	const to = URL.canParse(location, from) ? new URL(location, from) : undefined;
	if (to === undefined || (to.protocol !== 'https:' && to.protocol !== 'http:')) {
		throw new SourceFailure('UNAVAILABLE', 'redirected to what is no HTTP address');
	}
	if (from.protocol === 'https:' && to.protocol === 'http:') {
		throw new SourceFailure('UNAVAILABLE', `redirected from TLS to plain text at ${to.host}; refused`);
	}
	return to;
}

export function header(response: Pick<HttpResponse, 'headers'>, name: string): string | undefined {
	const value = response.headers[name];
	return Array.isArray(value) ? value.join(', ') : value;
}

/** Lets go of an answer whose body nobody reads. */
export async function discard(response: HttpResponse): Promise<void> {
	response.body.on('error', () => {});
	await response.body.dump({ limit: 64 * 1024 }).catch(() => {});
}

/** The whole body, at most `limit` bytes. DATA_LOSS naming `what` beyond that. */
export async function readBody(response: HttpResponse, limit: number, what: string): Promise<Buffer> {
	const chunks: Buffer[] = [];
	let bytes = 0;
	try {
		for await (const chunk of response.chunks) {
			bytes += chunk.length;
			if (bytes > limit) throw new SourceFailure('DATA_LOSS', `${what} is longer than ${limit} bytes`);
			chunks.push(chunk);
		}
	} catch (error) {
		throw networkFailure(error);
	}
	return Buffer.concat(chunks);
}
