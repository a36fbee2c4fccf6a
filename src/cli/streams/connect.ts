/** What the ways to connect to a streaming URL have in common. */
import { X509Certificate } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Writable } from 'node:stream';
import { type ConnectionOptions, checkServerIdentity, rootCertificates } from 'node:tls';
import { invalidArgument, messageOf, notFound, unavailable } from '#base/errors.ts';

/** What the daemon's streaming.tls_certificate names. */
export interface OwnCertificate {
	readonly path: string;
	/** PEM, with the chain; undefined when it cannot be read. */
	readonly pem?: string;
	/** Why it cannot be read. */
	readonly problem?: string;
}

export interface ConnectOptions {
	readonly protocol: string;
	/** To be trusted beside the authorities that Node trusts. */
	readonly certificate?: OwnCertificate | undefined;
	readonly signal: AbortSignal;
}

/** Trusts that very certificate, whatever names are in it and whoever signed it. */
export function trusting({ certificate }: ConnectOptions): TlsOptions {
	const { pem } = certificate ?? {};
	if (pem === undefined) return {};
	return {
		ca: [...rootCertificates, pem],
		allowPartialTrustChain: true,
		checkServerIdentity: (host, shown) =>
			isFirstOf(pem, shown.raw) ? undefined : checkServerIdentity(host, shown),
	};
}

type TlsOptions = Pick<ConnectionOptions, 'ca' | 'allowPartialTrustChain' | 'checkServerIdentity'>;

function isFirstOf(pem: string, certificate: Buffer): boolean {
	try {
		return new X509Certificate(pem).raw.equals(certificate);
	} catch {
		return false;
	}
}

export async function readBody(response: IncomingMessage): Promise<string> {
	const chunks: Buffer[] = [];
	for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
	return Buffer.concat(chunks).toString().trim();
}

/** Nobody answers at the URL, or its certificate is not trusted. */
export function unreachable(url: string, error: Error, options: ConnectOptions): Error {
	const { origin } = new URL(url);
	const cause = { cause: error };
	if (isDistrust(error))
		return unavailable(
			`The streaming server at ${origin} is not trusted: ${withoutHint(messageOf(error))}; ${trusted(options)}`,
			cause,
		);
	return unavailable(
		`The streaming server at ${origin} cannot be reached: ${messageOf(error)}; the URL comes from the daemon: look at streaming.address`,
		cause,
	);
}

/** OpenSSL's names of what it does not believe (X509_V_ERR_…), and Node's for another name. */
const isDistrust = (error: Error): boolean =>
	/CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ERR_TLS/.test((error as NodeJS.ErrnoException).code ?? '');

/** Node adds how to start node, which is of no use to who started gantry. */
const withoutHint = (message: string): string => message.replace(/; if the root CA .*$/s, '');

function trusted({ certificate }: ConnectOptions): string {
	if (certificate === undefined)
		return 'the daemon names no certificate of its own (streaming.tls_certificate), and the authorities that Node trusts have not signed this one';
	const { path, problem } = certificate;
	return problem === undefined
		? `the daemon names ${path} (streaming.tls_certificate), which it does not show, or which is not valid: make a new one there, with its streaming.tls_key`
		: `the daemon names ${path} (streaming.tls_certificate), which cannot be read here: ${problem}; run gantry on the node of the daemon, as a user who may read it (the key is not needed)`;
}

/** The server answered something else than that it switches protocols. */
export function refusal(url: string, status = 0, text = ''): Error {
	const message = `The streaming server at ${new URL(url).origin} refused: ${text} (HTTP ${status})`;
	if (status === 404) return notFound(message);
	return status < 500 ? invalidArgument(message) : unavailable(message);
}

/** Writes; settles when there is room for more, and rejects when the stream is gone. */
export async function send(writable: Writable, ...parts: readonly Uint8Array[]): Promise<void> {
	writable.cork();
	for (const part of parts) writable.write(part);
	writable.uncork();
	if (writable.writableNeedDrain) await drained(writable);
	if (writable.destroyed) throw writable.errored ?? new Error('it closed the connection');
}

function drained(writable: Writable): Promise<void> {
	const { promise, resolve } = Promise.withResolvers<void>();
	writable.on('drain', resolve).on('close', resolve);
	return promise.finally(() => writable.off('drain', resolve).off('close', resolve));
}
