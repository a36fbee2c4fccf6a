/** Reads netlink messages back: the replies of dumps, and our own plans for people and tests. */
import { internal } from '#base/errors.ts';

export interface NetlinkMessage {
	readonly type: number;
	readonly flags: number;
	/** The header of the family and the attributes. */
	readonly body: Buffer;
}

/** Attributes by type; of a type that comes twice the last one wins. */
export type Attributes = ReadonlyMap<number, Buffer>;

const HEADER_BYTES = 16;
const NLA_TYPE_MASK = 0x3fff;
const malformed = (what: string) => internal(`Cannot read what the kernel answered over netlink: ${what}`);
const align = (length: number): number => (length + 3) & ~3;

/** Cuts a reply into messages. INTERNAL when a length is wrong. */
export function readMessages(bytes: Uint8Array): NetlinkMessage[] {
	const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	const messages: NetlinkMessage[] = [];
	for (let at = 0; at + HEADER_BYTES <= buffer.length; ) {
		const length = buffer.readUInt32LE(at);
		if (length < HEADER_BYTES || at + length > buffer.length)
			throw malformed(`a message of ${length} bytes in ${buffer.length - at}`);
		messages.push({
			type: buffer.readUInt16LE(at + 4),
			flags: buffer.readUInt16LE(at + 6),
			body: buffer.subarray(at + HEADER_BYTES, at + length),
		});
		at += align(length);
	}
	return messages;
}

/** The attributes that fill `bytes`, in order, with repeated types. */
export function listAttributes(bytes: Buffer): (readonly [type: number, value: Buffer])[] {
	const list: (readonly [number, Buffer])[] = [];
	for (let at = 0; at + 4 <= bytes.length; ) {
		const length = bytes.readUInt16LE(at);
		if (length < 4 || at + length > bytes.length)
			throw malformed(`an attribute of ${length} bytes in ${bytes.length - at}`);
		list.push([bytes.readUInt16LE(at + 2) & NLA_TYPE_MASK, bytes.subarray(at + 4, at + length)]);
		at += align(length);
	}
	return list;
}

export const readAttributes = (bytes: Buffer): Attributes => new Map(listAttributes(bytes));

/** The attributes behind the family's header of a message. */
export function attributesAfter(headerBytes: number, body: Buffer): Attributes {
	if (body.length < headerBytes)
		throw malformed(`a header of ${body.length} bytes instead of ${headerBytes}`);
	return readAttributes(body.subarray(headerBytes));
}

/** A number of the host's byte order; undefined when there is none. */
export const readU32 = (value: Buffer | undefined): number | undefined => fourBytes(value)?.readUInt32LE();

/** A number of the network's byte order, as nftables has them. */
export const readBe32 = (value: Buffer | undefined): number | undefined => fourBytes(value)?.readUInt32BE();

const fourBytes = (value: Buffer | undefined): Buffer | undefined =>
	value !== undefined && value.length >= 4 ? value : undefined;

/** A string attribute without its NUL. */
export function readString(value: Buffer | undefined): string {
	if (value === undefined) return '';
	const end = value.indexOf(0);
	return value.toString('utf8', 0, end < 0 ? value.length : end);
}
