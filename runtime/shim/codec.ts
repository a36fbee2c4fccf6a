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
	#buffer: Buffer;
	#at = 0;

	constructor(bytes: number) {
		this.#buffer = Buffer.allocUnsafe(bytes);
	}

	/** Makes room and answers where it begins. */
	#take(bytes: number): number {
		const at = this.#at;
		this.#at += bytes;
		if (this.#at > this.#buffer.length) {
			const grown = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#at));
			this.#buffer.copy(grown, 0, 0, at);
			this.#buffer = grown;
		}
		return at;
	}
	get position(): number {
		return this.#at;
	}
	u16(value: number): void {
		const at = this.#take(2);
		this.#buffer.writeUInt16LE(value, at);
	}
	u32(value: number): void {
		const at = this.#take(4);
		this.#buffer.writeUInt32LE(value, at);
	}
	i32(value: number): void {
		const at = this.#take(4);
		this.#buffer.writeInt32LE(value, at);
	}
	u64(value: bigint): void {
		const at = this.#take(8);
		this.#buffer.writeBigUInt64LE(value, at);
	}
	i64(value: bigint): void {
		const at = this.#take(8);
		this.#buffer.writeBigInt64LE(value, at);
	}
	bytes(value: Uint8Array): void {
		this.u32(value.length);
		const at = this.#take(value.length);
		this.#buffer.set(value, at);
	}
	str(value: string): void {
		if (value.includes('\0'))
			throw new RangeError(`a string for the shim holds a NUL: ${JSON.stringify(value)}`);
		// A UTF-16 unit takes at most three bytes.
		const at = this.#take(4 + value.length * 3 + 1);
		const length = this.#buffer.write(value, at + 4);
		this.#buffer.writeUInt32LE(length, at);
		this.#at = at + 4 + length;
		this.#buffer[this.#at++] = 0;
	}
	patchU32(position: number, value: number): void {
		this.#buffer.writeUInt32LE(value, position);
	}
	/** What was written from one position to another; valid until the next write. */
	slice(from: number, to: number = this.#at): Buffer {
		return this.#buffer.subarray(from, to);
	}
}

type Write = (writer: Writer, value: never) => void;

const SCALAR_WRITERS = {
	u32: (writer, value: number) => writer.u32(value),
	i32: (writer, value: number) => writer.i32(value),
	u64: (writer, value: bigint) => writer.u64(value),
	i64: (writer, value: bigint) => writer.i64(value),
	str: (writer, value: string) => writer.str(value),
	bytes: (writer, value: Uint8Array) => writer.bytes(value),
} as const satisfies Readonly<Record<string, Write>>;

/** The writer of one type, made once: a plan has hundreds of fields, and the table says the same of each every time. */
function writerOf(type: FieldType, where: string): Write {
	if (Array.isArray(type)) return listWriter(writerOf(type[0] as FieldType, where));
	const scalar = (SCALAR_WRITERS as Readonly<Record<string, Write>>)[type as string];
	return scalar ?? fieldsWriter(structFields(type as string), where);
}

function listWriter(element: Write): Write {
	return (writer, list: readonly never[]) => {
		writer.u32(list.length);
		const lengthAt = writer.position;
		writer.u32(0);
		for (const each of list) element(writer, each);
		writer.patchU32(lengthAt, writer.position - lengthAt - 4);
	};
}

/** `where` names the whole in errors. */
function fieldsWriter(fields: Fields, where: string): (writer: Writer, value: object) => void {
	const writers = Object.entries(fields).map(([name, type]) => {
		const place = `${where}.${name}`;
		return { name, place, write: writerOf(type, place) };
	});
	return (writer, value) => {
		for (const { name, place, write } of writers) {
			const field = (value as Readonly<Record<string, unknown>>)[name];
			if (field === undefined) throw new TypeError(`${place} is missing`);
			write(writer, field as never);
		}
	};
}

function structFields(name: string): Fields {
	const fields = (STRUCTS as Record<string, Fields>)[name];
	if (fields === undefined) throw new TypeError(`unknown protocol type ${name}`);
	return fields;
}

const writersOf = (table: Readonly<Record<string, { readonly fields: Fields }>>) =>
	new Map(Object.entries(table).map(([name, { fields }]) => [name, fieldsWriter(fields, name)]));

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

type Read = (reader: Reader) => unknown;

const SCALAR_READERS: Readonly<Record<string, Read>> = {
	u32: (reader) => reader.u32(),
	i32: (reader) => reader.i32(),
	u64: (reader) => reader.u64(),
	i64: (reader) => reader.i64(),
	str: (reader) => reader.str(),
	bytes: (reader) => reader.bytes(),
};

function readerOf(type: FieldType): Read {
	if (Array.isArray(type)) return listReader(readerOf(type[0] as FieldType));
	return SCALAR_READERS[type as string] ?? fieldsReader(structFields(type as string));
}

function listReader(element: Read): Read {
	return (reader) => {
		const count = reader.u32();
		const end = reader.u32();
		const stop = reader.remaining - end;
		if (stop < 0 || count > end) throw new RangeError('a list is longer than its frame');
		const list: unknown[] = [];
		for (let index = 0; index < count; index++) list.push(element(reader));
		if (reader.remaining !== stop) throw new RangeError('a list does not fill its length');
		return list;
	};
}

function fieldsReader(fields: Fields): (reader: Reader) => Record<string, unknown> {
	const readers = Object.entries(fields).map(([name, type]) => ({ name, read: readerOf(type) }));
	return (reader) => {
		const value: Record<string, unknown> = {};
		for (const { name, read } of readers) value[name] = read(reader);
		return value;
	};
}

interface Coded<N extends string> {
	readonly name: N;
	readonly read: (reader: Reader) => Record<string, unknown>;
}

const readersOf = <N extends string>(
	table: Readonly<Record<N, { readonly code: number; readonly fields: Fields }>>,
): ReadonlyMap<number, Coded<N>> =>
	new Map(
		(Object.keys(table) as N[]).map((name) => {
			const { code, fields } = table[name];
			return [code, { name, read: fieldsReader(fields) }];
		}),
	);

const MESSAGE_WRITERS = writersOf(MESSAGES);
const OP_WRITERS = writersOf(OPS);
const MESSAGES_BY_CODE = readersOf<MessageName>(MESSAGES);
const OPS_BY_CODE = readersOf<OpName>(OPS);

/** Encodes one message as a whole frame. */
export function encodeFrame<N extends MessageName>(type: N, requestId: number, body: Message<N>): Buffer {
	const writer = new Writer(256);
	writer.u32(0);
	writer.u16(MESSAGES[type].code);
	writer.u16(PROTOCOL_VERSION);
	writer.u32(requestId);
	MESSAGE_WRITERS.get(type)?.(writer, body);
	const length = writer.position - HEADER_BYTES;
	if (length > MAX_FRAME_BYTES)
		throw new RangeError(`${type} takes ${length} bytes; a frame holds ${MAX_FRAME_BYTES}`);
	writer.patchU32(0, length);
	return writer.slice(0);
}

/** What a STDIN begins with; its data follows, `bytes` long, and need not be copied. */
export function stdinHead(bytes: number): Buffer {
	const head = encodeFrame('STDIN', 0, { data: EMPTY });
	head.writeUInt32LE(head.length - HEADER_BYTES + bytes, 0);
	head.writeUInt32LE(bytes, HEADER_BYTES);
	return head;
}

/** Encodes a plan to the `op` list that CREATE, EXEC, DELETE and TEARDOWN carry. */
export function encodePlan(plan: readonly Op[]): Struct<'op'>[] {
	const writer = new Writer(16 * 1024);
	const ends = plan.map((op) => {
		const write = OP_WRITERS.get(op.op);
		if (write === undefined) throw new TypeError(`unknown plan operation ${op.op}`);
		write(writer, op);
		return writer.position;
	});
	return plan.map(({ op }, index) => ({
		code: OPS[op].code,
		args: writer.slice(ends[index - 1] ?? 0, ends[index]),
	}));
}

/** The name of an operation code, for messages; `op 99` when unknown. */
export function opName(code: number): string {
	return OPS_BY_CODE.get(code)?.name ?? `op ${code}`;
}

/** Decodes what encodePlan made. */
export function decodePlan(ops: readonly Struct<'op'>[]): Op[] {
	return ops.map(({ code, args }) => {
		const known = OPS_BY_CODE.get(code);
		if (known === undefined) throw new RangeError(`unknown plan operation ${code}`);
		const { name, read } = known;
		const reader = new Reader(Buffer.from(args.buffer, args.byteOffset, args.byteLength));
		return { op: name, ...whole(name, reader, read) } as Op;
	});
}

/** All of it, and nothing behind it. */
function whole(name: string, reader: Reader, read: Coded<string>['read']): Record<string, unknown> {
	const value = read(reader);
	if (reader.remaining !== 0) throw new RangeError(`${name} has ${reader.remaining} bytes too many`);
	return value;
}

/** Encodes a list of structs alone, for the files that the network hook reads (a NET_APPLY payload). */
export function encodeBody<N extends MessageName>(type: N, body: Message<N>): Buffer {
	return encodeFrame(type, 0, body).subarray(HEADER_BYTES);
}

/** Before the data of an OUTPUT: the header of the frame, its stream, and how long the data is. */
const OUTPUT_HEAD_BYTES = HEADER_BYTES + 8;

/**
 * Cuts a byte stream into frames. An OUTPUT comes in pieces as its bytes arrive, each of them a frame, so that nothing
 * of it is kept or copied. Throws RangeError on bytes that are no frame of ours; then close the connection.
 */
export class FrameDecoder {
	#pending: Buffer[] = [];
	#size = 0;
	/** The OUTPUT that is under way. */
	#output: { readonly requestId: number; readonly stream: number; left: number } | undefined;

	/** Takes bytes and returns the frames that are now complete. The data of an OUTPUT is part of the bytes. */
	push(chunk: Buffer): Frame[] {
		this.#pending.push(chunk);
		this.#size += chunk.length;
		const frames: Frame[] = [];
		for (let frame = this.#next(); frame !== undefined; frame = this.#next()) frames.push(frame);
		// The memory of the chunk may be used for the next one.
		const rest = this.#pending.at(-1);
		if (rest?.buffer === chunk.buffer) this.#pending[this.#pending.length - 1] = Buffer.from(rest);
		return frames;
	}

	#next(): Frame | undefined {
		if (this.#output !== undefined) return this.#outputPiece(this.#output);
		if (this.#size < HEADER_BYTES) return undefined;
		const head = this.#first(HEADER_BYTES);
		const length = head.readUInt32LE(0);
		if (length > MAX_FRAME_BYTES)
			throw new RangeError(`a frame of ${length} bytes; the limit is ${MAX_FRAME_BYTES}`);
		if (head.readUInt16LE(4) === MESSAGES.OUTPUT.code) return this.#beginOutput(length);
		if (this.#size < HEADER_BYTES + length) return undefined;
		const bytes = Buffer.from(this.#first(HEADER_BYTES + length).subarray(0, HEADER_BYTES + length));
		this.#drop(bytes.length);
		return decodeFrame(bytes);
	}

	#beginOutput(length: number): Frame | undefined {
		if (this.#size < OUTPUT_HEAD_BYTES) return undefined;
		const head = this.#first(OUTPUT_HEAD_BYTES);
		const left = head.readUInt32LE(HEADER_BYTES + 4);
		if (length !== OUTPUT_HEAD_BYTES - HEADER_BYTES + left)
			throw new RangeError(`OUTPUT takes ${length} bytes and says that ${left} of them are data`);
		this.#output = { requestId: head.readUInt32LE(8), stream: head.readUInt32LE(HEADER_BYTES), left };
		this.#drop(OUTPUT_HEAD_BYTES);
		return this.#outputPiece(this.#output);
	}

	#outputPiece(output: {
		readonly requestId: number;
		readonly stream: number;
		left: number;
	}): Frame | undefined {
		const data = (this.#pending[0] ?? EMPTY).subarray(0, output.left);
		if (data.length === 0 && output.left > 0) return undefined;
		output.left -= data.length;
		this.#drop(data.length);
		if (output.left === 0) this.#output = undefined;
		return { type: 'OUTPUT', requestId: output.requestId, body: { stream: output.stream, data } };
	}

	/** The first buffer, made as long as this if it is shorter. Only what lies across two is copied: output is much. */
	#first(length: number): Buffer {
		const [first = EMPTY] = this.#pending;
		if (first.length >= length) return first;
		const joined = Buffer.allocUnsafeSlow(length);
		let at = 0;
		while (at < length) {
			const next = this.#pending.shift() ?? EMPTY;
			const taken = next.copy(joined, at);
			at += taken;
			if (taken < next.length) this.#pending.unshift(next.subarray(taken));
		}
		this.#pending.unshift(joined);
		return joined;
	}

	/** So many bytes of the first buffer are done with. */
	#drop(bytes: number): void {
		this.#size -= bytes;
		const rest = this.#pending.shift()?.subarray(bytes);
		if (rest !== undefined && rest.length > 0) this.#pending.unshift(rest);
	}
}

const EMPTY = Buffer.alloc(0);

function decodeFrame(bytes: Buffer): Frame {
	const code = bytes.readUInt16LE(4);
	const known = MESSAGES_BY_CODE.get(code);
	if (known === undefined) throw new RangeError(`unknown message type ${code}`);
	const { name, read } = known;
	const body = whole(name, new Reader(bytes.subarray(HEADER_BYTES)), read);
	return { type: name, requestId: bytes.readUInt32LE(8), body } as unknown as Frame;
}

/** Decodes a payload that stands alone in a file, such as the hook's NET_APPLIED. */
export function decodeBody<N extends MessageName>(type: N, payload: Buffer): Message<N> {
	const { read } = MESSAGES_BY_CODE.get(MESSAGES[type].code) as Coded<N>;
	return whole(type, new Reader(payload), read) as unknown as Message<N>;
}
