import { type Condition, type CriReason, errnoOf, messageOf, StatusError } from '#base/errors.ts';
import type { Source } from './sources.ts';

export interface FailureOptions {
	readonly cause?: unknown;
	/** Whether the same request may succeed a moment later. */
	readonly again?: boolean;
	/** How long the registry asks us to wait. */
	readonly retryAfterMs?: number;
}

/** Why one request to one source failed. Failures of all sources together become one StatusError. */
export class SourceFailure extends Error {
	readonly condition: Condition;
	readonly again: boolean;
	readonly retryAfterMs: number | undefined;

	constructor(condition: Condition, message: string, options: FailureOptions = {}) {
		super(message, options.cause === undefined ? undefined : { cause: options.cause });
		this.condition = condition;
		this.again = options.again ?? false;
		this.retryAfterMs = options.retryAfterMs;
	}
}

const PERMANENT = new Set([
	'ECONNREFUSED',
	'ENOTFOUND',
	'ERR_SSL_WRONG_VERSION_NUMBER',
	'ERR_TLS_CERT_ALTNAME_INVALID',
	'CERT_HAS_EXPIRED',
]);
const PERMANENT_TLS = /CERT|SELF_SIGNED|UNABLE_TO_|ERR_SSL|ERR_TLS/;
const WORDS: Readonly<Record<string, string>> = {
	ECONNREFUSED: 'connection refused',
	ENOTFOUND: 'host not found',
	EAI_AGAIN: 'host not found at the moment',
	EHOSTUNREACH: 'no route to the host',
	ENETUNREACH: 'network unreachable',
	ECONNRESET: 'connection reset',
	UND_ERR_SOCKET: 'connection closed',
	UND_ERR_CONNECT_TIMEOUT: 'no connection in time',
	UND_ERR_HEADERS_TIMEOUT: 'stalled: no answer in time',
	UND_ERR_BODY_TIMEOUT: 'stalled: no more bytes in time',
};

/** A failure below HTTP: connection, TLS, time. */
export function networkFailure(error: unknown): SourceFailure {
	if (error instanceof SourceFailure) return error;
	const code = errnoOf(error) ?? '';
	const again = !PERMANENT.has(code) && !PERMANENT_TLS.test(code);
	return new SourceFailure('UNAVAILABLE', WORDS[code] ?? (messageOf(error) || code), { cause: error, again });
}

/** One error for a pull that no source could serve. The last source, the registry itself, decides the condition. */
export function combineFailures(
	what: string,
	failures: readonly { source: Source; failure: SourceFailure }[],
): StatusError {
	const last = failures.at(-1)?.failure;
	const condition = last?.condition ?? 'INTERNAL';
	const reason: CriReason | undefined = condition === 'UNAVAILABLE' ? 'RegistryUnavailable' : undefined;
	const parts = failures.map(
		({ source, failure }) =>
			`${source.isMirror ? 'mirror ' : ''}${source.origin}/${source.repository}: ${failure.message}`,
	);
	return new StatusError(condition, `${what}: ${parts.join('; ')}`, {
		cause: last,
		...(reason === undefined ? {} : { reason }),
	});
}
