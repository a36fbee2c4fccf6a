import type { StatusError } from '#base/errors.ts';

/** Makes the error for a value that does not have the form; `path` is the field. */
export type Refuse = (path: string, why: string) => StatusError;

/** What is wrong, and where: the keys on the way to it, innermost first. Most values are fine, and cost no path. */
interface Fault {
	readonly keys: string[];
	readonly why: string;
}
/** undefined when the value has the form. */
export type Check = (value: unknown) => Fault | undefined;

const OPTIONAL = Symbol('optional');
type Field = Check & { readonly [OPTIONAL]?: true };
/** A check for every field of T: a field that is added to the type does not compile until it has one. */
export type Shape<T> = { readonly [K in keyof T]-?: Field };

/** Throws what `refuse` makes of a value that does not have the form. */
export function refuseUnless(check: Check, value: unknown, refuse: Refuse): void {
	const fault = check(value);
	if (fault === undefined) return;
	const path = fault.keys.toReversed().join('');
	throw refuse(path.startsWith('.') ? path.slice(1) : path, fault.why);
}

/** The field may be missing. */
export const optional = (check: Check): Field =>
	Object.assign(((value) => check(value)) as Check, { [OPTIONAL]: true as const });

const is =
	(type: string, test: (value: unknown) => boolean): Check =>
	(value) =>
		test(value) ? undefined : expected(type, value);
const expected = (type: string, value: unknown): Fault => ({
	keys: [],
	why: `expected ${type}, got ${shown(value)}`,
});
const shown = (value: unknown): string => (JSON.stringify(value) ?? 'nothing').slice(0, 60);

function inside(key: string, fault: Fault): Fault {
	fault.keys.push(key);
	return fault;
}

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
	return (value) => {
		if (!Array.isArray(value)) return expected('a list', value);
		for (let index = 0; index < value.length; index++) {
			const fault = element(value[index]);
			if (fault !== undefined) return inside(`[${index}]`, fault);
		}
		return undefined;
	};
}

/** An object with exactly these fields; others are refused, never ignored. */
export function object<T extends object>(shape: Shape<T>): Check {
	const fields = new Map(Object.entries(shape) as [string, Field][]);
	const needed = [...fields].filter(([, check]) => check[OPTIONAL] !== true).map(([key]) => key);
	return (value) => {
		if (!isObject(value)) return expected('an object', value);
		for (const key of Object.keys(value)) {
			const check = fields.get(key);
			if (check === undefined) return { keys: [`.${key}`], why: 'not supported' };
			const each = value[key];
			const fault = each === undefined ? undefined : check(each);
			if (fault !== undefined) return inside(`.${key}`, fault);
		}
		const missing = needed.find((key) => value[key] === undefined);
		return missing === undefined ? undefined : { keys: [`.${missing}`], why: 'missing' };
	};
}

/** An object with any keys. */
export function record(element: Check): Check {
	return (value) => {
		if (!isObject(value)) return expected('an object', value);
		for (const [key, each] of Object.entries(value)) {
			const fault = element(each);
			if (fault !== undefined) return inside(`[${JSON.stringify(key)}]`, fault);
		}
		return undefined;
	};
}

const isObject = (value: unknown): value is Record<string, unknown> =>
	typeof value === 'object' && value !== null && !Array.isArray(value);
