import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '#base/errors.ts';
import type { Config } from '../../config/types.ts';

/** What the records say: whatever is not in here is owned by nobody. */
export interface Owned {
	/** Ids of sandboxes. */
	readonly sandboxes: ReadonlySet<string>;
	readonly containers: ReadonlySet<string>;
	/** Uids of pods. */
	readonly pods: ReadonlySet<string>;
	/** Folders of sandboxes and containers without a readable record. */
	readonly broken: readonly BrokenRecord[];
}

export interface BrokenRecord {
	readonly kind: 'sandbox' | 'container';
	readonly id: string;
	readonly folder: string;
	readonly why: string;
	readonly sinceMs: number;
}

/** One look at an instance. */
export interface Scene {
	readonly config: Config;
	/** A daemon of this instance runs. */
	readonly daemonRuns: boolean;
	readonly owned: Owned;
}

interface RecordFile {
	readonly id?: unknown;
	readonly value?: {
		readonly metadata?: { readonly config?: { readonly metadata?: { readonly uid?: unknown } } };
	};
}

/** Reads every record in the state folder; one that cannot be read is reported, not guessed at. */
export async function readOwned(state: string): Promise<Owned> {
	const sandboxes = await readFolder(join(state, 'sandboxes'), 'sandbox');
	const containers = await readFolder(join(state, 'containers'), 'container');
	const uids = sandboxes.records.map(({ value }) => value?.metadata?.config?.metadata?.uid);
	return {
		sandboxes: new Set(sandboxes.ids),
		containers: new Set(containers.ids),
		pods: new Set(uids.filter((uid) => typeof uid === 'string')),
		broken: [...sandboxes.broken, ...containers.broken],
	};
}

/** Whether one of the ids, sandbox or container, is part of the text (a path, a name). */
export function isOwned(owned: Owned, text: string): boolean {
	return [...owned.sandboxes, ...owned.containers].some((id) => text.includes(id));
}

async function readFolder(folder: string, kind: BrokenRecord['kind']) {
	const records: RecordFile[] = [];
	const ids: string[] = [];
	const broken: BrokenRecord[] = [];
	for (const id of await namesIn(folder)) {
		const read = await readRecord(join(folder, id), id);
		if (typeof read === 'string') {
			const sinceMs = (await stat(join(folder, id))).mtimeMs;
			broken.push({ kind, id, folder: join(folder, id), why: read, sinceMs });
		} else {
			records.push(read);
			ids.push(id);
		}
	}
	return { records, ids, broken };
}

/** The record, or why there is none. */
async function readRecord(folder: string, id: string): Promise<RecordFile | string> {
	try {
		const record = JSON.parse(await readFile(join(folder, 'record.json'), 'utf8')) as RecordFile;
		return record.id === id ? record : 'its record is that of another object';
	} catch (error) {
		return errnoOf(error) === 'ENOENT' ? 'it has no record' : 'its record cannot be read';
	}
}

/** Names in a folder; none when there is no such folder. */
export async function namesIn(folder: string): Promise<readonly string[]> {
	try {
		return (await readdir(folder)).toSorted();
	} catch (error) {
		if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return [];
		throw error;
	}
}
