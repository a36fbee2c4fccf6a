import { randomBytes } from 'node:crypto';
import { resourceExhausted } from '#base/errors.ts';

/** As many as Kubernetes' own servers keep. */
const MAX_TOKENS = 1000;
/** 256 bits. */
const TOKEN_BYTES = 32;

interface Kept<T> {
	readonly value: T;
	readonly expiresMs: number;
}

/** Values for which a token was given out that is good for one use, for a while. Nobody can guess one. */
export class Tokens<T> {
	readonly #ttlMs: number;
	readonly #nowMs: () => number;
	/** In the order of their end. */
	readonly #kept = new Map<string, Kept<T>>();

	/** `nowMs`: a clock that never goes back. */
	constructor(ttlMs: number, nowMs: () => number = () => performance.now()) {
		this.#ttlMs = ttlMs;
		this.#nowMs = nowMs;
	}

	/** RESOURCE_EXHAUSTED when too many have not been used yet. */
	add(value: T): string {
		this.#dropExpired();
		if (this.#kept.size >= MAX_TOKENS)
			throw resourceExhausted(
				`${MAX_TOKENS} streaming URLs have not been used yet; each is forgotten ${this.#ttlMs / 1000} s after it was made: use one, or try again then`,
			);
		const token = randomBytes(TOKEN_BYTES).toString('base64url');
		this.#kept.set(token, { value, expiresMs: this.#nowMs() + this.#ttlMs });
		return token;
	}

	/** Without using it up. undefined: it was used, is too old, or never was. */
	peek(token: string): T | undefined {
		this.#dropExpired();
		return this.#kept.get(token)?.value;
	}

	/** From now on it is good for nothing. */
	use(token: string): void {
		this.#kept.delete(token);
	}

	#dropExpired(): void {
		const nowMs = this.#nowMs();
		for (const [token, { expiresMs }] of this.#kept) {
			if (expiresMs > nowMs) return;
			this.#kept.delete(token);
		}
	}
}
