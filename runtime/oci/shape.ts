import type { StatusError } from '#base/errors.ts';

/** Makes the error for a value that does not have the form; `path` is the field. */
export type Refuse = (path: string, why: string) => StatusError;
/** Throws when the value does not have the form. */
export type Check = (value: unknown, path: string, refuse: Refuse) => void;

const OPTIONAL = Symbol('optional');
type Field = Check & { readonly [OPTIONAL]?: true };
/** A check for every field of T: a field that is added to the type does not compile until it has one. */
export type Shape<T> = { readonly [K in keyof T]-?: Field };

/** The field may be missing. */
export const optional = (check: Check): Field =>
	Object.assign(((...all) => check(...all)) as Check, { [OPTIONAL]: true as const });

const at = (path: string, key: string): string => (path === '' ? key : `${path}.${key}`);
const is = (type: string, test: (value: unknown) => boolean): Check => {
	return (value, path, refuse) => {
		if (!test(value)) throw refuse(path, `expected ${type}, got ${shown(value)}`);
	};
};
const shown = (value: unknown): string => (JSON.stringify(value) ?? 'nothing').slice(0, 60);

export const string = is('a string', (value) => typeof value === 'string' && !value.includes('\0'));
export const boolean = is('true or false', (value) => typeof value === 'boolean');
export const integer = is('a whole number', (value) => Number.isInteger(value));
/** 0 … 2^32-1. */
export const u32 = is(
	'a whole number of 32 bits',
	(value) => Number.isInteger(value) && Number(value) >= 0 && Number(value) < 2 ** 32,
);
export const i32 = is(
	'a whole number of 31 bits and a sign',
	(value) => Number.isInteger(value) && Math.abs(Number(value)) < 2 ** 31,
);
/** What a JSON number holds exactly: of a larger one the last digits are lost, and so would be what it means. */
export const exactInteger = is(
	'a whole number up to 2^53',
	(value) => Number.isSafeInteger(value) && Number(value) >= 0,
);
export const oneOf = (...words: readonly string[]): Check =>
	is(`one of ${words.join(', ')}`, (value) => words.includes(value as string));

export function array(element: Check): Check {
	return (value, path, refuse) => {
		if (!Array.isArray(value)) throw refuse(path, `expected a list, got ${shown(value)}`);
		for (const [index, each] of value.entries()) element(each, `${path}[${index}]`, refuse);
	};
}

/** An object with exactly these fields; others are refused, never ignored. */
export function object<T extends object>(shape: Shape<T>): Check {
	const fields = Object.entries(shape) as [string, Field][];
	const known = new Map(fields);
	return (value, path, refuse) => {
		if (!isObject(value)) throw refuse(path, `expected an object, got ${shown(value)}`);
		for (const [key, each] of Object.entries(value)) {
			const check = known.get(key);
			if (check === undefined) throw refuse(at(path, key), 'not supported');
			if (each !== undefined) check(each, at(path, key), refuse);
		}
		for (const [key, check] of fields) {
			if (value[key] === undefined && check[OPTIONAL] !== true) throw refuse(at(path, key), 'missing');
		}
	};
}

/** An object with any keys. */
export function record(element: Check): Check {
	return (value, path, refuse) => {
		if (!isObject(value)) throw refuse(path, `expected an object, got ${shown(value)}`);
		for (const [key, each] of Object.entries(value)) element(each, `${path}[${JSON.stringify(key)}]`, refuse);
	};
}

const isObject = (value: unknown): value is Record<string, unknown> =>
	typeof value === 'object' && value !== null && !Array.isArray(value);
