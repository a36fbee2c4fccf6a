import { readFile } from 'node:fs/promises';
import { errnoOf } from '#base/errors.ts';

/** Readers of cgroup files. A missing file (a controller that is off, a cgroup that is gone) reads as ''. */
export async function readText(path: string): Promise<string> {
	try {
		return await readFile(path, 'utf8');
	} catch (error) {
		const code = errnoOf(error);
		// ENODEV: the cgroup was removed while its file was open. EOPNOTSUPP: pressure is switched off.
		if (code === 'ENOENT' || code === 'ENODEV' || code === 'EOPNOTSUPP' || code === 'ENOTDIR') return '';
		throw error;
	}
}

/** A file with one number; `max` and what v1 writes for no limit give undefined. */
export async function readNumber(path: string): Promise<bigint | undefined> {
	return parseNumber(await readText(path));
}

/** v1 shows no limit as the largest multiple of the page size; nothing real is near it. */
const V1_UNLIMITED = 1n << 62n;

export function parseNumber(text: string): bigint | undefined {
	const word = text.trim();
	if (!/^\d+$/.test(word)) return undefined;
	const value = BigInt(word);
	return value >= V1_UNLIMITED ? undefined : value;
}

/** Lines of `key value`. */
export function parseKeyed(text: string): ReadonlyMap<string, bigint> {
	const map = new Map<string, bigint>();
	for (const line of text.split('\n')) {
		const match = /^(\S+) (\d+)$/.exec(line);
		if (match?.[1] !== undefined && match[2] !== undefined) map.set(match[1], BigInt(match[2]));
	}
	return map;
}

export async function readKeyed(path: string): Promise<ReadonlyMap<string, bigint>> {
	return parseKeyed(await readText(path));
}
