import {
	type Fields,
	type FieldType,
	MAX_FRAME_BYTES,
	MESSAGES,
	OPS,
	PROTOCOL_VERSION,
	STRUCTS,
} from './schema.ts';

/*
 * A frame, little endian:
 *
 *   0        4      6         8            12
 *   +--------+------+---------+------------+----------------+
 *   | length | type | version | request id | payload …      |   length counts the payload only
 *   +--------+------+---------+------------+----------------+
 *
 * A payload is the fields of its message in the order of the table:
 *
 *   u32 i32 u64 i64   4 or 8 bytes
 *   str               u32 length without the NUL, the bytes, one NUL (so C uses it in place)
 *   bytes             u32 length, the bytes
 *   struct            its fields
 *   [T]               u32 count, u32 length of all elements in bytes, the elements
 */

type StructName = keyof typeof STRUCTS;
type Scalar<T> = T extends 'u32' | 'i32'
	? number
	: T extends 'u64' | 'i64'
		? bigint
		: T extends 'str'
			? string
			: T extends 'bytes'
				? Uint8Array
				: T extends StructName
					? Values<(typeof STRUCTS)[T]>
					: never;
/** The TypeScript value of a field type. */
export type ValueOf<T> = T extends readonly [infer E] ? readonly Scalar<E>[] : Scalar<T>;
/** The object that a set of fields describes. */
export type Values<F> = { readonly [K in keyof F]: ValueOf<F[K]> };

export type MessageName = keyof typeof MESSAGES;
export type Message<N extends MessageName> = Values<(typeof MESSAGES)[N]['fields']>;
export type OpName = keyof typeof OPS;
export type OpArgs<N extends OpName> = Values<(typeof OPS)[N]['fields']>;
/** One operation of a plan, by name, before it is encoded. */
export type Op = { [N in OpName]: { readonly op: N } & OpArgs<N> }[OpName];
export type Struct<N extends StructName> = Values<(typeof STRUCTS)[N]>;

/** One frame as it came in. */
export type Frame = {
	[N in MessageName]: { readonly type: N; readonly requestId: number; readonly body: Message<N> };
}[MessageName];

export const HEADER_BYTES = 12;

class Writer {
	#buffer = Buffer.allocUnsafe(1024);
	#at = 0;

	#room(bytes: number): void {
		if (this.#at + bytes <= this.#buffer.length) return;
		const grown = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#at + bytes));
		this.#buffer.copy(grown, 0, 0, this.#at);
		this.#buffer = grown;
	}
	get position(): number {
		return this.#at;
	}
	u16(value: number): void {
		this.#room(2);
		this.#at = this.#buffer.writeUInt16LE(value, this.#at);
	}
	u32(value: number): void {
		this.#room(4);
		this.#at = this.#buffer.writeUInt32LE(value, this.#at);
	}
	i32(value: number): void {
		this.#room(4);
		this.#at = this.#buffer.writeInt32LE(value, this.#at);
	}
	u64(value: bigint): void {
		this.#room(8);
		this.#at = this.#buffer.writeBigUInt64LE(value, this.#at);
	}
	i64(value: bigint): void {
		this.#room(8);
		this.#at = this.#buffer.writeBigInt64LE(value, this.#at);
	}
	bytes(value: Uint8Array): void {
		this.u32(value.length);
		this.#room(value.length);
		this.#buffer.set(value, this.#at);
		this.#at += value.length;
	}
	str(value: string): void {
		if (value.includes('\0'))
			throw new RangeError(`a string for the shim holds a NUL: ${JSON.stringify(value)}`);
		const length = Buffer.byteLength(value);
		this.u32(length);
		this.#room(length + 1);
		this.#buffer.write(value, this.#at);
		this.#at += length;
		this.#buffer[this.#at++] = 0;
	}
	patchU32(position: number, value: number): void {
		this.#buffer.writeUInt32LE(value, position);
	}
	finish(): Buffer {
		return this.#buffer.subarray(0, this.#at);
	}
}

function writeValue(writer: Writer, type: FieldType, value: unknown, where: string): void {
	if (Array.isArray(type)) {
		const list = value as readonly unknown[];
		writer.u32(list.length);
		const lengthAt = writer.position;
		writer.u32(0);
		for (const element of list) writeValue(writer, type[0] as FieldType, element, where);
		writer.patchU32(lengthAt, writer.position - lengthAt - 4);
		return;
	}
	switch (type) {
		case 'u32':
			writer.u32(value as number);
			break;
		case 'i32':
			writer.i32(value as number);
			break;
		case 'u64':
			writer.u64(value as bigint);
			break;
		case 'i64':
			writer.i64(value as bigint);
			break;
		case 'str':
			writer.str(value as string);
			break;
		case 'bytes':
			writer.bytes(value as Uint8Array);
			break;
		default:
			writeFields(writer, structFields(type as string), value as object, where);
	}
}

function structFields(name: string): Fields {
	const fields = (STRUCTS as Record<string, Fields>)[name];
	if (fields === undefined) throw new TypeError(`unknown protocol type ${name}`);
	return fields;
}

function writeFields(writer: Writer, fields: Fields, value: object, where: string): void {
	for (const [name, type] of Object.entries(fields)) {
		const field = (value as Record<string, unknown>)[name];
		if (field === undefined) throw new TypeError(`${where}.${name} is missing`);
		writeValue(writer, type, field, `${where}.${name}`);
	}
}

class Reader {
	readonly #buffer: Buffer;
	#at = 0;
	constructor(buffer: Buffer) {
		this.#buffer = buffer;
	}
	get remaining(): number {
		return this.#buffer.length - this.#at;
	}
	#take(bytes: number): number {
		if (bytes > this.remaining) throw new RangeError('the frame is shorter than its fields');
		const at = this.#at;
		this.#at += bytes;
		return at;
	}
	u32(): number {
		return this.#buffer.readUInt32LE(this.#take(4));
	}
	i32(): number {
		return this.#buffer.readInt32LE(this.#take(4));
	}
	u64(): bigint {
		return this.#buffer.readBigUInt64LE(this.#take(8));
	}
	i64(): bigint {
		return this.#buffer.readBigInt64LE(this.#take(8));
	}
	bytes(): Buffer {
		const length = this.u32();
		const at = this.#take(length);
		return this.#buffer.subarray(at, at + length);
	}
	str(): string {
		const text = this.bytes();
		if (this.#buffer[this.#take(1)] !== 0) throw new RangeError('a string does not end in NUL');
		return text.toString('utf8');
	}
}

function readValue(reader: Reader, type: FieldType): unknown {
	if (Array.isArray(type)) {
		const count = reader.u32();
		const end = reader.u32();
		const stop = reader.remaining - end;
		if (stop < 0 || count > end) throw new RangeError('a list is longer than its frame');
		const list: unknown[] = [];
		for (let index = 0; index < count; index++) list.push(readValue(reader, type[0] as FieldType));
		if (reader.remaining !== stop) throw new RangeError('a list does not fill its length');
		return list;
	}
	switch (type) {
		case 'u32':
			return reader.u32();
		case 'i32':
			return reader.i32();
		case 'u64':
			return reader.u64();
		case 'i64':
			return reader.i64();
		case 'str':
			return reader.str();
		case 'bytes':
			return reader.bytes();
		default:
			return readFields(reader, structFields(type as string));
	}
}

function readFields(reader: Reader, fields: Fields): Record<string, unknown> {
	const value: Record<string, unknown> = {};
	for (const [name, type] of Object.entries(fields)) value[name] = readValue(reader, type);
	return value;
}

/** Encodes one message as a whole frame. */
export function encodeFrame<N extends MessageName>(type: N, requestId: number, body: Message<N>): Buffer {
	const writer = new Writer();
	writer.u32(0);
	writer.u16(MESSAGES[type].code);
	writer.u16(PROTOCOL_VERSION);
	writer.u32(requestId);
	writeFields(writer, MESSAGES[type].fields, body, type);
	const frame = writer.finish();
	const length = frame.length - HEADER_BYTES;
	if (length > MAX_FRAME_BYTES)
		throw new RangeError(`${type} takes ${length} bytes; a frame holds ${MAX_FRAME_BYTES}`);
	frame.writeUInt32LE(length, 0);
	return frame;
}

/** Encodes a plan to the `op` list that CREATE, EXEC, DELETE and TEARDOWN carry. */
export function encodePlan(plan: readonly Op[]): Struct<'op'>[] {
	return plan.map(({ op, ...args }) => {
		const writer = new Writer();
		writeFields(writer, OPS[op].fields, args, op);
		return { code: OPS[op].code, args: writer.finish() };
	});
}

const OP_BY_CODE = new Map(
	Object.entries(OPS).map(([name, entry]) => [entry.code as number, name as OpName]),
);
const MESSAGE_BY_CODE = new Map(
	Object.entries(MESSAGES).map(([name, entry]) => [entry.code as number, name as MessageName]),
);

/** The name of an operation code, for messages; `op 99` when unknown. */
export function opName(code: number): string {
	return OP_BY_CODE.get(code) ?? `op ${code}`;
}

/** Decodes what encodePlan made. */
export function decodePlan(ops: readonly Struct<'op'>[]): Op[] {
	return ops.map(({ code, args }) => {
		const name = OP_BY_CODE.get(code);
		if (name === undefined) throw new RangeError(`unknown plan operation ${code}`);
		const reader = new Reader(Buffer.from(args.buffer, args.byteOffset, args.byteLength));
		const value = readFields(reader, OPS[name].fields);
		if (reader.remaining !== 0) throw new RangeError(`${name} has ${reader.remaining} bytes too many`);
		return { op: name, ...value } as Op;
	});
}

/** Encodes a list of structs alone, for the files that the network hook reads (a NET_APPLY payload). */
export function encodeBody<N extends MessageName>(type: N, body: Message<N>): Buffer {
	return encodeFrame(type, 0, body).subarray(HEADER_BYTES);
}

/** Cuts a byte stream into frames. Throws RangeError on bytes that are no frame of ours; then close the connection. */
export class FrameDecoder {
	#pending: Buffer[] = [];
	#size = 0;

	/** Takes bytes and returns the frames that are now complete. */
	push(chunk: Buffer): Frame[] {
		this.#pending.push(chunk);
		this.#size += chunk.length;
		const frames: Frame[] = [];
		while (this.#size >= HEADER_BYTES) {
			if ((this.#pending[0]?.length ?? 0) < HEADER_BYTES) this.#join();
			const head = this.#pending[0] as Buffer;
			const length = head.readUInt32LE(0);
			if (length > MAX_FRAME_BYTES)
				throw new RangeError(`a frame of ${length} bytes; the limit is ${MAX_FRAME_BYTES}`);
			if (this.#size < HEADER_BYTES + length) break;
			if (head.length < HEADER_BYTES + length) this.#join();
			const all = this.#pending[0] as Buffer;
			frames.push(decodeFrame(all.subarray(0, HEADER_BYTES + length)));
			this.#pending[0] = all.subarray(HEADER_BYTES + length);
			this.#size -= HEADER_BYTES + length;
		}
		return frames;
	}

	#join(): void {
		this.#pending = [Buffer.concat(this.#pending)];
	}
}

function decodeFrame(bytes: Buffer): Frame {
	const code = bytes.readUInt16LE(4);
	const type = MESSAGE_BY_CODE.get(code);
	if (type === undefined) throw new RangeError(`unknown message type ${code}`);
	const reader = new Reader(bytes.subarray(HEADER_BYTES));
	const body = readFields(reader, MESSAGES[type].fields);
	if (reader.remaining !== 0) throw new RangeError(`${type} has ${reader.remaining} bytes too many`);
	return { type, requestId: bytes.readUInt32LE(8), body } as unknown as Frame;
}

/** Decodes a payload that stands alone in a file, such as the hook's NET_APPLIED. */
export function decodeBody<N extends MessageName>(type: N, payload: Buffer): Message<N> {
	const reader = new Reader(payload);
	const body = readFields(reader, MESSAGES[type].fields);
	if (reader.remaining !== 0) throw new RangeError(`${type} has ${reader.remaining} bytes too many`);
	return body as unknown as Message<N>;
}
