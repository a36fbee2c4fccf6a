import { randomBytes } from 'node:crypto';

/** A new sandbox or container id: 64 lower-case hexadecimal digits, as every CRI runtime gives. */
export function newId(): string {
	return randomBytes(32).toString('hex');
}

/** The form that people read and type: the first 13 digits. */
export function shortId(id: string): string {
	return id.slice(0, 13);
}

/** Whether this is a whole id of ours. */
export function isId(text: string): boolean {
	return /^[0-9a-f]{64}$/.test(text);
}
