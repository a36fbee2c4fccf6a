import { dataLoss } from '#base/errors.ts';

/** Checks that a decoded value has the type it should have, and returns it. Throws DATA_LOSS naming the path. */
export type Shape<T> = (value: unknown, path: string) => T;

function primitive<T>(name: string, is: (value: unknown) => value is T): Shape<T> {
	return (value, path) => {
		if (is(value)) return value;
		throw wrong(path, name, value);
	};
}

function wrong(path: string, expected: string, value: unknown): Error {
	return dataLoss(`${path} is ${value === null ? 'null' : typeof value}, expected ${expected}`);
}

export const text: Shape<string> = primitive('text', (value) => typeof value === 'string');
export const flag: Shape<boolean> = primitive('true or false', (value) => typeof value === 'boolean');
export const integer: Shape<number> = primitive('an integer', (value): value is number =>
	Number.isSafeInteger(value),
);
export const bigInteger: Shape<bigint> = primitive('a 64-bit integer', (value) => typeof value === 'bigint');

/** A value that another room gives a meaning to; kept as it is. */
export const opaque: Shape<unknown> = (value) => value;

export function oneOf<const T extends string>(...values: readonly T[]): Shape<T> {
	return (value, path) => {
		const found = values.find((candidate) => candidate === value);
		if (found === undefined) throw wrong(path, `one of ${values.join(', ')}`, value);
		return found;
	};
}

export function optional<T>(shape: Shape<T>): Shape<T | undefined> {
	return (value, path) => (value === undefined ? undefined : shape(value, path));
}

export function list<T>(shape: Shape<T>): Shape<readonly T[]> {
	return (value, path) => {
		if (!Array.isArray(value)) throw wrong(path, 'a list', value);
		return value.map((item, index) => shape(item, `${path}[${index}]`));
	};
}

export function map<T>(shape: Shape<T>): Shape<Readonly<Record<string, T>>> {
	return (value, path) => {
		const entries = Object.entries(plainObject(value, path));
		return Object.fromEntries(entries.map(([key, item]) => [key, shape(item, `${path}.${key}`)]));
	};
}

/** An object with exactly these fields; a field that nobody knows is an error too. */
export function object<T extends object>(fields: { readonly [K in keyof T]-?: Shape<T[K]> }): Shape<T> {
	return (value, path) => {
		const given = plainObject(value, path);
		const stranger = Object.keys(given).find((key) => !Object.hasOwn(fields, key));
		if (stranger !== undefined) throw dataLoss(`${path}.${stranger} is not known to this version`);
		const entries = Object.entries<Shape<unknown>>(fields);
		const checked = entries.map(([key, shape]) => [key, shape(given[key], `${path}.${key}`)] as const);
		return Object.fromEntries(checked.filter(([, item]) => item !== undefined)) as T;
	};
}

/** An object of which only these fields are checked; the others stay as they are. */
export function objectWith<T extends object>(fields: { readonly [K in keyof T]?: Shape<T[K]> }): Shape<T> {
	return (value, path) => {
		const given = plainObject(value, path);
		for (const [key, shape] of Object.entries<Shape<unknown> | undefined>(fields))
			shape?.(given[key], `${path}.${key}`);
		return given as T;
	};
}

function plainObject(value: unknown, path: string): Readonly<Record<string, unknown>> {
	if (typeof value !== 'object' || value === null || Array.isArray(value))
		throw wrong(path, 'an object', value);
	return value as Readonly<Record<string, unknown>>;
}
