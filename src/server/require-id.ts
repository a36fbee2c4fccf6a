import { invalidArgument } from '#base/errors.ts';

/** The id of a request. INVALID_ARGUMENT when it is empty: no object can be meant by that. */
export function requireId(field: string, id: string): string {
	if (id === '') throw invalidArgument(`${field} is empty`);
	return id;
}
