/**
 * Frames of SPDY/3.1 (draft-mbelshe-httpbis-spdy-00, section 2.2).
 *
 *   control  |1| version 3 (15) | type (16) | flags (8) | length (24) | …
 *   data     |0| stream id (31)             | flags (8) | length (24) | …
 */

const VERSION = 3;
const HEAD_BYTES = 8;

const TYPE = {
	SYN_STREAM: 1,
	SYN_REPLY: 2,
	RST_STREAM: 3,
	SETTINGS: 4,
	PING: 6,
	GOAWAY: 7,
	HEADERS: 8,
	WINDOW_UPDATE: 9,
} as const;

const FLAG_FIN = 1;

/** Status codes of RST_STREAM. */
export const RESET = {
	PROTOCOL_ERROR: 1,
	INVALID_STREAM: 2,
	REFUSED_STREAM: 3,
	CANCEL: 5,
	INTERNAL_ERROR: 6,
	STREAM_IN_USE: 8,
} as const;

/** Longest control frame that is taken: Kubernetes' have some 100 bytes. Data frames may be as long as they like. */
export const MAX_CONTROL_BYTES = 64 * 1024;

/** `block`: a header block, still compressed. `other`: what nobody has to answer. */
export type SpdyFrame =
	| { readonly type: 'data'; readonly streamId: number; readonly data: Buffer; readonly fin: boolean }
	| { readonly type: 'open'; readonly streamId: number; readonly block: Buffer; readonly fin: boolean }
	| { readonly type: 'reply'; readonly streamId: number; readonly block: Buffer; readonly fin: boolean }
	| { readonly type: 'headers'; readonly streamId: number; readonly block: Buffer; readonly fin: boolean }
	| { readonly type: 'reset'; readonly streamId: number; readonly status: number }
	| { readonly type: 'ping'; readonly id: number }
	| { readonly type: 'goAway' }
	| { readonly type: 'other' };

/** The bytes are no SPDY/3.1: the connection cannot go on. */
export class SpdyError extends Error {
	override readonly name = 'SpdyError';
}

/**
 * Cuts a byte stream into frames. A data frame comes in pieces, as its bytes arrive, so that nothing of it is kept;
 * only the last piece has its `fin`.
 */
export class SpdyDecoder {
	#kept: Buffer = Buffer.alloc(0);
	/** The data frame that is under way. */
	#data: { readonly streamId: number; readonly fin: boolean; left: number } | undefined;

	/** @throws SpdyError */
	*push(chunk: Buffer): Generator<SpdyFrame> {
		let rest = this.#kept.length === 0 ? chunk : Buffer.concat([this.#kept, chunk]);
		this.#kept = Buffer.alloc(0);
		for (;;) {
			if (this.#data !== undefined) {
				const piece = rest.subarray(0, this.#data.left);
				rest = rest.subarray(piece.length);
				const { streamId, fin } = this.#data;
				this.#data.left -= piece.length;
				const isLast = this.#data.left === 0;
				if (isLast) this.#data = undefined;
				if (piece.length > 0 || isLast) yield { type: 'data', streamId, data: piece, fin: isLast && fin };
				if (!isLast) return;
			} else if (rest.length < HEAD_BYTES) {
				break;
			} else {
				const first = rest.readUInt32BE(0);
				const flags = rest.readUInt8(4);
				const length = rest.readUIntBE(5, 3);
				if (first < 0x80000000) {
					this.#data = { streamId: first, fin: (flags & FLAG_FIN) !== 0, left: length };
					rest = rest.subarray(HEAD_BYTES);
					continue;
				}
				checkControl(first, length);
				if (rest.length < HEAD_BYTES + length) break;
				const body = rest.subarray(HEAD_BYTES, HEAD_BYTES + length);
				rest = rest.subarray(HEAD_BYTES + length);
				yield controlFrame(first & 0xffff, flags, body);
			}
		}
		this.#kept = Buffer.from(rest);
	}
}

function checkControl(first: number, length: number): void {
	const version = (first >>> 16) & 0x7fff;
	if (version !== VERSION) throw new SpdyError(`a frame of SPDY version ${version}, expected ${VERSION}`);
	if (length > MAX_CONTROL_BYTES)
		throw new SpdyError(`a control frame of ${length} bytes; the limit is ${MAX_CONTROL_BYTES}`);
}

function controlFrame(type: number, flags: number, body: Buffer): SpdyFrame {
	const fin = (flags & FLAG_FIN) !== 0;
	switch (type) {
		case TYPE.SYN_STREAM:
			return { type: 'open', streamId: idAt(body, 10), block: body.subarray(10), fin };
		case TYPE.SYN_REPLY:
			return { type: 'reply', streamId: idAt(body, 4), block: body.subarray(4), fin };
		case TYPE.HEADERS:
			return { type: 'headers', streamId: idAt(body, 4), block: body.subarray(4), fin };
		case TYPE.RST_STREAM:
			return { type: 'reset', streamId: idAt(body, 8), status: body.readUInt32BE(4) };
		case TYPE.PING:
			if (body.length !== 4) throw new SpdyError(`a PING of ${body.length} bytes`);
			return { type: 'ping', id: body.readUInt32BE(0) };
		case TYPE.GOAWAY:
			return { type: 'goAway' };
		default:
			// SETTINGS and WINDOW_UPDATE among them: what Kubernetes' clients say of windows they do not keep to.
			return { type: 'other' };
	}
}

function idAt(body: Buffer, least: number): number {
	if (body.length < least) throw new SpdyError(`a control frame of ${body.length} bytes, too short`);
	return body.readUInt32BE(0) & 0x7fffffff;
}

function control(type: number, flags: number, ...parts: readonly Uint8Array[]): Buffer {
	const length = parts.reduce((sum, part) => sum + part.length, 0);
	const head = Buffer.alloc(HEAD_BYTES);
	head.writeUInt16BE(0x8000 | VERSION, 0);
	head.writeUInt16BE(type, 2);
	head.writeUInt8(flags, 4);
	head.writeUIntBE(length, 5, 3);
	return Buffer.concat([head, ...parts]);
}

function numbers(...values: readonly number[]): Buffer {
	const bytes = Buffer.alloc(values.length * 4);
	values.forEach((value, index) => {
		bytes.writeUInt32BE(value, index * 4);
	});
	return bytes;
}

/** The head of a data frame; its `length` bytes (below 2^24) follow. */
export function dataHead(streamId: number, length: number, fin = false): Buffer {
	const head = Buffer.alloc(HEAD_BYTES);
	head.writeUInt32BE(streamId, 0);
	head.writeUInt8(fin ? FLAG_FIN : 0, 4);
	head.writeUIntBE(length, 5, 3);
	return head;
}

/** What a client sends first on a stream. `block`: a header block, as encodeHeaderBlock makes it. */
export const synStream = (streamId: number, block: Uint8Array, fin = false): Buffer =>
	control(TYPE.SYN_STREAM, fin ? FLAG_FIN : 0, numbers(streamId, 0), Buffer.alloc(2), block);

export const synReply = (streamId: number, block: Uint8Array): Buffer =>
	control(TYPE.SYN_REPLY, 0, numbers(streamId), block);

export const rstStream = (streamId: number, status: number): Buffer =>
	control(TYPE.RST_STREAM, 0, numbers(streamId, status));

export const ping = (id: number): Buffer => control(TYPE.PING, 0, numbers(id));

/** No stream after `lastStreamId` is taken any more; all is well. */
export const goAway = (lastStreamId: number): Buffer => control(TYPE.GOAWAY, 0, numbers(lastStreamId, 0));
