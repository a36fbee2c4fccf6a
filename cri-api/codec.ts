/**
 * The messages of the contract as bytes, by the table of their fields (messages.ts). As decoded every field is there: a
 * missing message is null, a 64-bit integer decimal text, an enum its name (or its number, when it has no name here).
 */
import { enumKind, expect, isObject, type Kind, SCALARS, TEXT } from './kinds.ts';
import { ENUMS, MESSAGES, type MessageName } from './messages.ts';
import { WIRE, WireReader, WireWriter } from './wire.ts';

type Message = Record<string, unknown>;

interface Field {
	readonly name: string;
	readonly number: number;
	readonly absent: () => unknown;
	readonly write: (writer: WireWriter, value: unknown) => void;
	/** Returns what the field has now. */
	readonly read: (reader: WireReader, wire: number, before: unknown) => unknown;
}

interface Shape {
	readonly name: string;
	readonly fields: readonly Field[];
	readonly byNumber: ReadonlyMap<number, Field>;
}

/** One message at a time is written. */
const writer = new WireWriter();

/** Fields that are undefined or null are left out. Throws a TypeError naming the field whose value is none of its type. */
export function encodeMessage(name: MessageName, message: object): Buffer {
	writer.begin();
	writeMessage(writer, shapeOf(name), message);
	return writer.bytes();
}

/** Throws a RangeError when the bytes are no message. Fields that the contract does not have are passed over. */
export function decodeMessage(name: MessageName, bytes: Uint8Array): object {
	return readMessage(new WireReader(bytes), shapeOf(name), undefined);
}

function writeMessage(to: WireWriter, { name, fields }: Shape, message: unknown): void {
	const values = expect(message, isObject, 'object');
	for (const field of fields) {
		const value = values[field.name];
		if (value === undefined || value === null) continue;
		try {
			field.write(to, value);
		} catch (error) {
			throw within(name, field.name, error);
		}
	}
}

/** Names the innermost field. */
function within(message: string, field: string, error: unknown): unknown {
	if (!(error instanceof TypeError) || error instanceof FieldError) return error;
	return new FieldError(`${message}.${field}: ${error.message}`);
}

class FieldError extends TypeError {}

function readMessage(from: WireReader, shape: Shape, before: unknown): Message {
	const message = (before ?? emptyOf(shape)) as Message;
	while (!from.isDone) {
		const tag = from.varint();
		const field = shape.byNumber.get(tag >>> 3);
		if (field === undefined) from.skip(tag & 7);
		else message[field.name] = field.read(from, tag & 7, message[field.name]);
	}
	return message;
}

function emptyOf({ fields }: Shape): Message {
	const message: Message = {};
	for (const { name, absent } of fields) message[name] = absent();
	return message;
}

const shapes = new Map<MessageName, Shape>();

/** Made when it is first needed: most messages never are. */
function shapeOf(name: MessageName): Shape {
	const known = shapes.get(name);
	if (known !== undefined) return known;
	const fields = MESSAGES[name].map(fieldOf);
	const shape = { name, fields, byNumber: new Map(fields.map((field) => [field.number, field])) };
	shapes.set(name, shape);
	return shape;
}

const FIELD = /^(repeated )?(map<string, string>|\w+) (\w+) = (\d+)$/;

function fieldOf(line: string): Field {
	const [, repeated, type = '', name = '', digits] = FIELD.exec(line) ?? [];
	const number = Number(digits);
	if (type.startsWith('map')) return { name, number, ...mapField(number) };
	const kind = kindOf(type);
	return { name, number, ...(repeated === undefined ? singleField(number, kind) : listField(number, kind)) };
}

type FieldCodec = Pick<Field, 'absent' | 'write' | 'read'>;

function singleField(number: number, kind: Kind): FieldCodec {
	return {
		absent: kind.absent,
		write: (to, value) => {
			if (kind.isDefault(value)) return;
			to.tag(number, kind.wire);
			kind.write(to, value);
		},
		read: (from, wire, before) =>
			wire === kind.wire ? kind.read(from, before) : passOver(from, wire, before),
	};
}

/** Numbers are written packed: one after the other, behind one tag. Both ways are read. */
function listField(number: number, kind: Kind): FieldCodec {
	const isPacked = kind.wire !== WIRE.delimited;
	return {
		absent: () => [],
		write: (to, values) => {
			if (!Array.isArray(values)) throw new TypeError('array expected');
			if (values.length === 0) return;
			if (isPacked) {
				to.tag(number, WIRE.delimited);
				to.delimited(() => {
					for (const value of values) kind.write(to, value);
				});
				return;
			}
			for (const value of values) {
				to.tag(number, kind.wire);
				kind.write(to, value);
			}
		},
		read: (from, wire, before) => {
			const values = before as unknown[];
			if (wire === kind.wire) values.push(kind.read(from, undefined));
			else if (isPacked && wire === WIRE.delimited)
				from.delimited(() => {
					while (!from.isDone) values.push(kind.read(from, undefined));
				});
			else from.skip(wire);
			return values;
		},
	};
}

/** A map is a list of messages with a key and a value; the last of a key counts. */
function mapField(number: number): FieldCodec {
	const key = singleField(1, TEXT);
	const value = singleField(2, TEXT);
	return {
		absent: () => ({}),
		write: (to, map) => {
			for (const entry of Object.entries(expect(map, isObject, 'object'))) {
				to.tag(number, WIRE.delimited);
				to.delimited(() => {
					key.write(to, entry[0]);
					value.write(to, entry[1]);
				});
			}
		},
		read: (from, wire, before) => {
			if (wire !== WIRE.delimited) return passOver(from, wire, before);
			let [name, content]: unknown[] = ['', ''];
			from.delimited(() => {
				while (!from.isDone) {
					const tag = from.varint();
					if (tag >>> 3 === 1) name = key.read(from, tag & 7, name);
					else if (tag >>> 3 === 2) content = value.read(from, tag & 7, content);
					else from.skip(tag & 7);
				}
			});
			// By assignment a key `__proto__` would not become one.
			Object.defineProperty(before, name as string, {
				value: content,
				enumerable: true,
				writable: true,
				configurable: true,
			});
			return before;
		},
	};
}

/** A field of another type than ours is one that we do not know. */
function passOver(from: WireReader, wire: number, before: unknown): unknown {
	from.skip(wire);
	return before;
}

function kindOf(type: string): Kind {
	const scalar = SCALARS[type];
	if (scalar !== undefined) return scalar;
	if (type in ENUMS) return enumKind(ENUMS[type as keyof typeof ENUMS]);
	return messageKind(type as MessageName);
}

function messageKind(name: MessageName): Kind {
	return {
		wire: WIRE.delimited,
		absent: () => null,
		isDefault: () => false,
		write: (to, value) => to.delimited(() => writeMessage(to, shapeOf(name), value)),
		read: (from, before) => from.delimited(() => readMessage(from, shapeOf(name), before)),
	};
}
