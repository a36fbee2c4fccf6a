import type { Challenge } from './challenge.ts';
import { fingerprint } from './credentials.ts';
import { SourceFailure } from './failure.ts';
import { type HttpClient, readBody } from './http.ts';
import type { Source } from './sources.ts';

/** A token lives this long when its server does not say (distribution token spec). */
const DEFAULT_LIFE_S = 60;
const MAX_TOKEN_ANSWER = 1024 * 1024;

/** Fetches bearer tokens (distribution-spec token authentication) and keeps them for as long as they live. */
export class TokenCache {
	readonly #http: HttpClient;
	readonly #tokens = new Map<string, { readonly token: string; readonly until: number }>();

	constructor(http: HttpClient) {
		this.#http = http;
	}

	/** The Authorization header that answers a bearer challenge of the source. */
	async answer(source: Source, challenge: Challenge, signal: AbortSignal): Promise<string> {
		if (source.credentials?.kind === 'bearer') return `Bearer ${source.credentials.token}`;
		const realm = realmOf(challenge, source);
		const scope = challenge.parameters.scope ?? `repository:${source.repository}:pull`;
		const service = challenge.parameters.service ?? '';
		const key = JSON.stringify([realm.href, service, scope, fingerprint(source.credentials)]);
		const known = this.#tokens.get(key);
		if (known !== undefined && known.until > performance.now()) return `Bearer ${known.token}`;
		const fresh = await this.#fetch(source, { realm, service, scope }, signal);
		this.#tokens.set(key, fresh);
		return `Bearer ${fresh.token}`;
	}

	/** Forgets everything: a token was refused. */
	clear(): void {
		this.#tokens.clear();
	}

	async #fetch(source: Source, asked: { realm: URL; service: string; scope: string }, signal: AbortSignal) {
		const response =
			source.credentials?.kind === 'identity'
				? await this.#exchange(source, source.credentials.token, asked, signal)
				: await this.#request(source, asked, signal);
		const body = await readBody(response, MAX_TOKEN_ANSWER, `the answer of ${asked.realm.host}`);
		if (response.status === 401 || response.status === 403 || response.status === 400) {
			throw new SourceFailure(
				'PERMISSION_DENIED',
				`${asked.realm.host} gave no token (${response.status}); ${source.credentialsFrom}`,
			);
		}
		if (response.status !== 200) {
			throw new SourceFailure(
				'UNAVAILABLE',
				`${asked.realm.host} gave no token: it answered ${response.status}`,
				{ again: response.status >= 429 },
			);
		}
		return readToken(body, asked.realm.host);
	}

	#request(
		source: Source,
		{ realm, service, scope }: { realm: URL; service: string; scope: string },
		signal: AbortSignal,
	) {
		const url = new URL(realm);
		if (service !== '') url.searchParams.set('service', service);
		for (const one of scope.split(' ')) if (one !== '') url.searchParams.append('scope', one);
		const authorization = basicHeader(source);
		if (source.credentials?.kind === 'basic') url.searchParams.set('account', source.credentials.username);
		const authorize = (to: URL) => (to.origin === realm.origin ? authorization : undefined);
		return this.#http.send(url, { headers: {}, signal, authorize, sentBy: source.origin });
	}

	#exchange(
		source: Source,
		refreshToken: string,
		{ realm, service, scope }: { realm: URL; service: string; scope: string },
		signal: AbortSignal,
	) {
		const form = new URLSearchParams({
			grant_type: 'refresh_token',
			refresh_token: refreshToken,
			service,
			scope,
			client_id: 'gantry',
		});
		const headers = { 'content-type': 'application/x-www-form-urlencoded' };
		const sent = { method: 'POST', headers, body: form.toString(), signal, sentBy: source.origin } as const;
		return this.#http.send(realm, sent);
	}
}

/** `Basic …` for the source's user, undefined when it has none. */
export function basicHeader(source: Source): string | undefined {
	if (source.credentials?.kind !== 'basic') return undefined;
	const { username, password } = source.credentials;
	return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

function realmOf(challenge: Challenge, source: Source): URL {
	const realm = challenge.parameters.realm ?? '';
	const url = URL.canParse(realm) ? new URL(realm) : undefined;
	if (url === undefined || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
		throw new SourceFailure('UNAVAILABLE', 'it asks for a token but names no server that gives one');
	}
	if (url.protocol === 'http:' && source.origin.startsWith('https:')) {
		throw new SourceFailure('PERMISSION_DENIED', `it asks for a token from ${url.host} without TLS; refused`);
	}
	return url;
}

function readToken(body: Buffer, host: string): { token: string; until: number } {
	let answer: { token?: unknown; access_token?: unknown; expires_in?: unknown } | null;
	try {
		answer = JSON.parse(body.toString());
	} catch {
		answer = null;
	}
	const token = answer?.token ?? answer?.access_token;
	if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token)) {
		throw new SourceFailure('UNAVAILABLE', `${host} answered without a usable token`);
	}
	const life =
		typeof answer?.expires_in === 'number' && answer.expires_in > 0 ? answer.expires_in : DEFAULT_LIFE_S;
	// Renewed a little early, so that none runs out on its way.
	return { token, until: performance.now() + Math.max(life - 10, 1) * 1000 };
}
