import { parseChallenges } from './challenge.ts';
import { fingerprint } from './credentials.ts';
import { SourceFailure } from './failure.ts';
import { discard, type HttpClient, type HttpResponse, header, readBody } from './http.ts';
import type { Source } from './sources.ts';
import { basicHeader, type TokenCache } from './tokens.ts';

/** GET below `/v2/<repository>/` of one source, with the authentication that it asks for. */
export class RegistryApi {
	readonly #http: HttpClient;
	readonly #tokens: TokenCache;
	/** What a source was last satisfied with, so that its next request needs no challenge. */
	readonly #authorizations = new Map<string, string>();

	constructor(http: HttpClient, tokens: TokenCache) {
		this.#http = http;
		this.#tokens = tokens;
	}

	/** `path` is `manifests/latest` or `blobs/sha256:…`. Answers 200 and 206; SourceFailure for everything else. */
	async get(
		source: Source,
		path: string,
		headers: Readonly<Record<string, string>>,
		signal: AbortSignal,
	): Promise<HttpResponse> {
		const key = JSON.stringify([source.origin, source.repository, fingerprint(source.credentials)]);
		let authorization = this.#authorizations.get(key);
		let response = await this.#send(source, path, headers, authorization, signal);
		// Twice, for what we have kept may have been taken back: then there is a fresh token to be had.
		for (let tries = 0; tries < 2 && this.#asksForMore(response, source); tries++) {
			if (authorization !== undefined) this.#forget(key);
			const next = await this.#answer(source, response, signal);
			if (next === authorization) break;
			await discard(response);
			authorization = next;
			response = await this.#send(source, path, headers, authorization, signal);
		}
		if (response.status === 401) this.#forget(key);
		else if (authorization !== undefined) this.#authorizations.set(key, authorization);
		return await judged(response, source);
	}

	/** A host that we were redirected to may not ask for the credentials of this one. */
	#asksForMore(response: HttpResponse, source: Source): boolean {
		return response.status === 401 && response.url.origin === source.origin;
	}

	#forget(key: string): void {
		this.#authorizations.delete(key);
		this.#tokens.clear();
	}

	#send(
		source: Source,
		path: string,
		headers: Readonly<Record<string, string>>,
		authorization: string | undefined,
		signal: AbortSignal,
	) {
		const url = new URL(`${source.origin}/v2/${source.repository}/${path}`);
		const authorize = (to: URL) => (to.origin === url.origin ? authorization : undefined);
		return this.#http.send(url, { headers, signal, authorize });
	}

	/** The Authorization that the answer asks for. */
	async #answer(source: Source, response: HttpResponse, signal: AbortSignal): Promise<string> {
		try {
			return await this.#authorizationFor(source, header(response, 'www-authenticate') ?? '', signal);
		} catch (error) {
			await discard(response);
			throw error;
		}
	}

	async #authorizationFor(source: Source, asked: string, signal: AbortSignal): Promise<string> {
		const challenges = parseChallenges(asked);
		const bearer = challenges.find((challenge) => challenge.scheme === 'bearer');
		if (bearer !== undefined) return await this.#tokens.answer(source, bearer, signal);
		const basic = challenges.some((challenge) => challenge.scheme === 'basic')
			? basicHeader(source)
			: undefined;
		if (basic !== undefined) return basic;
		throw new SourceFailure('PERMISSION_DENIED', `it answered 401 Unauthorized; ${source.credentialsFrom}`);
	}
}

async function judged(response: HttpResponse, source: Source): Promise<HttpResponse> {
	if (response.status === 200 || response.status === 206) return response;
	const said = await whatItSaid(response);
	const told = `it answered ${response.status}${said}`;
	switch (response.status) {
		case 401:
		case 403:
			throw new SourceFailure('PERMISSION_DENIED', `${told}; ${source.credentialsFrom}`);
		case 404:
			throw new SourceFailure('NOT_FOUND', `not found there (404${said})`);
		case 408:
		case 429:
			throw new SourceFailure('UNAVAILABLE', told, { again: true, ...retryAfter(response) });
		default:
			throw new SourceFailure('UNAVAILABLE', told, {
				again: response.status >= 500,
				...retryAfter(response),
			});
	}
}

function retryAfter(response: HttpResponse): { retryAfterMs?: number } {
	const text = header(response, 'retry-after');
	if (text === undefined) return {};
	const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
	return Number.isFinite(ms) ? { retryAfterMs: ms } : {};
}

/** The registry's own words (distribution-spec error codes), short and printable. */
async function whatItSaid(response: HttpResponse): Promise<string> {
	try {
		const body = await readBody(response, 64 * 1024, 'the error');
		const { code, message } = JSON.parse(body.toString()).errors[0];
		// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
		return `, ${`${code}: ${message}`.replace(/[\x00-\x1f\x7f]+/g, ' ').slice(0, 200)}`;
	} catch {
		return '';
	}
}
