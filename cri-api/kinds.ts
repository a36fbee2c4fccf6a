/** The types of fields: how a value of each is written and read. */
import { WIRE, type WireReader, type WireWriter } from './wire.ts';

/** How the values of one type are written and read. */
export interface Kind {
	readonly wire: number;
	/** In a message that does not have the field. */
	readonly absent: () => unknown;
	/** Such a value alone is not written: it is what the field has without. */
	readonly isDefault: (value: unknown) => boolean;
	/** Throws a TypeError that says what was expected. */
	readonly write: (writer: WireWriter, value: unknown) => void;
	/** `before`: what another field of that number had; a message is merged with it. */
	readonly read: (reader: WireReader, before: unknown) => unknown;
}

/** `names`: in the order of their numbers from 0. */
export function enumKind(names: readonly string[]): Kind {
	const numbers = new Map(names.map((name, number) => [name, number]));
	const numberOf = (value: unknown): unknown => (typeof value === 'string' ? numbers.get(value) : value);
	return {
		wire: WIRE.varint,
		absent: () => names[0],
		isDefault: (value) => numberOf(value) === 0,
		write: (to, value) => to.int32(expect(numberOf(value), isInt32, 'name of its enum')),
		read: (from) => {
			const number = from.varint() | 0;
			return names[number] ?? number;
		},
	};
}

export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
	typeof value === 'object' && value !== null;
const isText = (value: unknown): value is string => typeof value === 'string';
const isBoolean = (value: unknown): value is boolean => typeof value === 'boolean';
const isNumber = (value: unknown): value is number => typeof value === 'number';
const isInt32 = (value: unknown): value is number => isNumber(value) && (value | 0) === value;
const isUint32 = (value: unknown): value is number => isNumber(value) && value >>> 0 === value;
const isBlob = (value: unknown): value is Uint8Array => value instanceof Uint8Array;

/** TypeError when it is none. */
export function expect<T>(value: unknown, isOne: (value: unknown) => value is T, what: string): T {
	if (!isOne(value)) throw new TypeError(`${what} expected`);
	return value;
}

/** Of a bigint, a whole number or decimal text. */
function bigintOf(value: unknown): bigint {
	if (typeof value === 'bigint') return value;
	if (Number.isInteger(value) || (isText(value) && /^-?\d+$/.test(value)))
		return BigInt(value as number | string);
	throw new TypeError('64-bit integer expected');
}

export const TEXT: Kind = {
	wire: WIRE.delimited,
	absent: () => '',
	isDefault: (value) => value === '',
	write: (to, value) => to.string(expect(value, isText, 'string')),
	read: (from) => from.string(),
};

const varints = { wire: WIRE.varint, absent: () => 0, isDefault: (value: unknown) => value === 0 } as const;
const long = {
	wire: WIRE.varint,
	absent: () => '0',
	isDefault: (value: unknown) => value === 0 || value === 0n || value === '0',
	write: (to: WireWriter, value: unknown) => to.varint64(bigintOf(value)),
} as const;

/** The types that the contract has. */
export const SCALARS: Readonly<Record<string, Kind>> = {
	string: TEXT,
	bytes: {
		wire: WIRE.delimited,
		absent: () => Buffer.alloc(0),
		isDefault: (value) => isBlob(value) && value.length === 0,
		write: (to, value) => to.blob(expect(value, isBlob, 'bytes')),
		read: (from) => from.blob(),
	},
	bool: {
		wire: WIRE.varint,
		absent: () => false,
		isDefault: (value) => value === false,
		write: (to, value) => to.varint(expect(value, isBoolean, 'boolean') ? 1 : 0),
		read: (from) => from.varint64() !== 0n,
	},
	double: {
		wire: WIRE.fixed64,
		absent: () => 0,
		isDefault: (value) => Object.is(value, 0),
		write: (to, value) => to.double(expect(value, isNumber, 'number')),
		read: (from) => from.double(),
	},
	int32: {
		...varints,
		write: (to, value) => to.int32(expect(value, isInt32, '32-bit integer')),
		read: (from) => from.varint() | 0,
	},
	uint32: {
		...varints,
		write: (to, value) => to.varint(expect(value, isUint32, '32-bit integer without a sign')),
		read: (from) => from.varint(),
	},
	int64: { ...long, read: (from) => BigInt.asIntN(64, from.varint64()).toString() },
	uint64: { ...long, read: (from) => from.varint64().toString() },
};
