import { invalidArgument } from '#base/errors.ts';
import { parseQuantity } from '#base/quantity.ts';

/** A quantity of a Pod manifest (`500m`, `64Mi`, `1e3`) as a number. `path` names the field in the error. */
export function quantity(text: string | number, path: string): number {
	const value = parseQuantity(String(text).trim());
	if (value === undefined)
		throw invalidArgument(`${path}: ${text} is no quantity; write it like 500m or 64Mi`);
	if (value < 0) throw invalidArgument(`${path}: ${text} is below zero`);
	return value;
}
