/** What the ways to connect to a streaming URL have in common. */
import type { IncomingMessage } from 'node:http';
import type { Writable } from 'node:stream';
import { rootCertificates } from 'node:tls';
import { invalidArgument, messageOf, notFound, unavailable } from '#base/errors.ts';

export interface ConnectOptions {
	readonly protocol: string;
	/** A certificate (PEM) to be trusted beside those that Node trusts. */
	readonly certificate?: string | undefined;
	readonly signal: AbortSignal;
}

export const trusting = ({ certificate }: ConnectOptions): { readonly ca?: string[] } =>
	certificate === undefined ? {} : { ca: [...rootCertificates, certificate] };

export async function readBody(response: IncomingMessage): Promise<string> {
	const chunks: Buffer[] = [];
	for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
	return Buffer.concat(chunks).toString().trim();
}

/** Nobody answers at the URL, or its certificate is not trusted. */
export function unreachable(url: string, error: Error): Error {
	const { origin } = new URL(url);
	const advice =
		url.startsWith('https') && /certificate|self.signed|altnames/i.test(error.message)
			? '; the command trusts what streaming.tls_certificate names in the configuration that it reads (--config)'
			: '; the URL comes from the daemon: look at streaming.address';
	return unavailable(`The streaming server at ${origin} cannot be reached: ${messageOf(error)}${advice}`, {
		cause: error,
	});
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
