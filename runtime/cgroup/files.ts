import { readFileSync } from 'node:fs';
import { errnoOf } from '#base/errors.ts';

/**
 * Readers of cgroup files. A missing file (a controller that is off, a cgroup that is gone) reads as ''. They are
 * synchronous: the kernel answers from memory, in less time than it takes to ask a thread of the pool.
 */
export function readText(path: string): string {
	try {
		return readFileSync(path, 'utf8');
	} catch (error) {
		const code = errnoOf(error);
		// ENODEV: the cgroup was removed while its file was open. EOPNOTSUPP: pressure is switched off.
		if (code === 'ENOENT' || code === 'ENODEV' || code === 'EOPNOTSUPP' || code === 'ENOTDIR') return '';
		throw error;
	}
}

/** A file with one number; `max` and what v1 writes for no limit give undefined. */
export function readNumber(path: string): bigint | undefined {
	return parseNumber(readText(path));
}

/** v1 shows no limit as the largest multiple of the page size; nothing real is near it. */
const V1_UNLIMITED = 1n << 62n;

export function parseNumber(text: string): bigint | undefined {
	const word = text.trim();
	if (!/^\d+$/.test(word)) return undefined;
	const value = BigInt(word);
	return value >= V1_UNLIMITED ? undefined : value;
}

/** Looks values up in lines of `key value`; of a long file only what is asked for is parsed. */
export type Keyed = (key: string) => bigint | undefined;

export function parseKeyed(text: string): Keyed {
	const lines = `\n${text}`;
	return (key) => {
		const begin = lines.indexOf(`\n${key} `);
		if (begin < 0) return undefined;
		const end = lines.indexOf('\n', begin + 1);
		const word = lines.slice(begin + key.length + 2, end < 0 ? undefined : end);
		return /^\d+$/.test(word) ? BigInt(word) : undefined;
	};
}

export const readKeyed = (path: string): Keyed => parseKeyed(readText(path));
