import { type Extract, extract, type Header } from 'tar-stream';
import type { ByteString } from './bytes.ts';
import { type PaxRecords, parsePax, parsePaxTime } from './pax.ts';

/** One member of a tar, names as bytes, numbers checked. */
export interface TarHeader {
	readonly name: ByteString;
	readonly type: Header['type'] | 'unknown';
	readonly linkName: ByteString;
	/** Permission bits, set-id and sticky included. */
	readonly mode: number;
	readonly uid: number;
	readonly gid: number;
	readonly size: number;
	readonly mtimeNs: bigint;
	readonly atimeNs: bigint;
	readonly major: number;
	readonly minor: number;
	readonly pax: PaxRecords;
}

/** One member with its data, which must be read to the end before the next one comes. */
export interface TarMember {
	readonly header: TarHeader;
	readonly data: AsyncIterable<Buffer>;
}

/** Bytes that are no tar, or a tar that ends too early. */
export class TarError extends Error {}

/**
 * The members of a tar, in order.
 *
 * tar-stream does the framing. It decodes PAX values as UTF-8, which ruins binary ones (security.capability) and
 * names in other encodings, and a record with a negative length makes it loop; so its step from the bytes of a
 * long header to values is replaced by ours. The test beside this file fails if tar-stream drops that step.
 */
export async function* readTar(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<TarMember, void, void> {
	const tar = extract(BYTES_AS_NAMES);
	replacePaxDecoding(tar as unknown as ExtractInternals);
	const failed = Promise.withResolvers<never>();
	failed.promise.catch(() => {});
	tar.on('error', (error) => failed.reject(asTarError(error)));
	const feeding = feed(tar, chunks);
	feeding.catch((error) => {
		failed.reject(error);
		tar.destroy(error);
	});
	try {
		for await (const entry of tar)
			yield { header: headerOf(entry.header), data: dataOf(entry, failed.promise) };
		await feeding;
	} catch (error) {
		if (isDestroyed(error)) await failed.promise;
		throw asTarError(error);
	} finally {
		tar.destroy();
	}
}

/** A member's stream says only that it was destroyed; why is told by the tar. */
async function* dataOf(
	entry: AsyncIterable<unknown>,
	failed: Promise<never>,
): AsyncGenerator<Buffer, void, void> {
	try {
		yield* entry as AsyncIterable<Buffer>;
	} catch (error) {
		if (isDestroyed(error)) await failed;
		throw asTarError(error);
	}
}

const isDestroyed = (error: unknown) => error instanceof Error && error.message === 'Stream was destroyed';

/** An option of tar-stream that its types do not tell. */
const BYTES_AS_NAMES = { filenameEncoding: 'latin1' } as object;

interface ExtractInternals {
	_header: { type: string; size: number };
	_pax: PaxRecords | null;
	_paxGlobal: PaxRecords | null;
	_gnuLongPath: string | null;
	_gnuLongLinkPath: string | null;
	_decodeLongHeader(data: Uint8Array): void;
}

function replacePaxDecoding(tar: ExtractInternals): void {
	if (typeof tar._decodeLongHeader !== 'function')
		throw new Error('tar-stream has changed: _decodeLongHeader is gone');
	tar._decodeLongHeader = (bytes) => {
		const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
		if (tar._header.type === 'gnu-long-path') tar._gnuLongPath = untilNul(data);
		else if (tar._header.type === 'gnu-long-link-path') tar._gnuLongLinkPath = untilNul(data);
		else if (tar._header.type === 'pax-global-header') tar._paxGlobal = parsePax(data);
		else tar._pax = { ...tar._paxGlobal, ...parsePax(data) };
	};
}

function untilNul(data: Buffer): ByteString {
	const end = data.indexOf(0);
	return data.toString('latin1', 0, end === -1 ? data.length : end);
}

async function feed(tar: Extract, chunks: AsyncIterable<Uint8Array>): Promise<void> {
	for await (const chunk of chunks) {
		if (tar.destroyed) return;
		if (!tar.write(chunk)) await drained(tar);
	}
	tar.end(null);
}

function drained(tar: Extract): Promise<void> {
	const { promise, resolve } = Promise.withResolvers<void>();
	const done = () => {
		tar.off('drain', done);
		tar.off('close', done);
		resolve();
	};
	tar.on('drain', done);
	tar.on('close', done);
	return promise;
}

/** tar-stream's own complaints are plain Errors; what came from the chunks or the file system keeps its class. */
function asTarError(error: unknown): unknown {
	const ownComplaint = error instanceof Error && error.constructor === Error && !('code' in error);
	return ownComplaint ? new TarError(error.message, { cause: error }) : error;
}

function headerOf(header: Partial<Header>): TarHeader {
	const pax = (header.pax ?? {}) as PaxRecords;
	const name = header.name ?? '';
	const mtimeNs = timeOf(pax.mtime, header.mtime);
	return {
		name,
		type: header.type ?? 'unknown',
		linkName: header.linkname ?? '',
		mode: (header.mode ?? 0) & 0o7777,
		uid: idOf(pax.uid, header.uid, name),
		gid: idOf(pax.gid, header.gid, name),
		size: header.size ?? 0,
		mtimeNs,
		atimeNs: pax.atime === undefined ? mtimeNs : timeOf(pax.atime, header.mtime),
		major: header.devmajor ?? 0,
		minor: header.devminor ?? 0,
		pax,
	};
}

const NEVER_AN_ID = 0xffff_ffff;

function idOf(pax: string | undefined, plain: number | undefined, name: string): number {
	const id = pax === undefined ? (plain ?? 0) : Number(pax);
	if (!Number.isInteger(id) || id < 0 || id >= NEVER_AN_ID)
		throw new TarError(`entry ${JSON.stringify(name.slice(0, 200))} has no usable owner`);
	return id;
}

/** What the file systems of today can hold; times beyond are moved to the border. */
const EARLIEST_NS = -(2n ** 31n) * 1_000_000_000n;
const LATEST_NS = 2n ** 33n * 1_000_000_000n;

function timeOf(pax: string | undefined, plain: Date | undefined): bigint {
	const ms = plain?.getTime() ?? 0;
	const ns =
		(pax === undefined ? undefined : parsePaxTime(pax)) ??
		(Number.isFinite(ms) ? BigInt(Math.trunc(ms)) * 1_000_000n : 0n);
	return ns < EARLIEST_NS ? EARLIEST_NS : ns > LATEST_NS ? LATEST_NS : ns;
}
