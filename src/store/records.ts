import { mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isHalfWritten, removeHalfWritten, replaceFile } from '#base/atomic-file.ts';
import { dataLoss, errnoOf, fromSystemError, messageOf } from '#base/errors.ts';
import { changing } from '#base/fault-points.ts';
import { isId } from '#base/ids.ts';
import type { Log } from '#base/log.ts';
import { removeTree } from '#base/remove-tree.ts';
import { inTurns, Turn } from '#base/turns.ts';
import { fromJson, toJson } from './json.ts';
import { integer, object, oneOf, type Shape, text } from './shape.ts';

/** Raised when records of an older daemon cannot be read any more. */
const VERSION = 1;
/** Begins the name of a folder whose object is gone. */
export const REMOVED = '.removed-';

/**
 * Where an object is in its life. `making`: what it has acquired must be taken back if the daemon ends now.
 * `made`: published. `removing`: its teardown must be finished.
 */
export type Phase = 'making' | 'made' | 'removing';

export interface StoredRecord<T> {
	readonly id: string;
	readonly phase: Phase;
	readonly value: T;
}

/** A folder whose record cannot be read, and why. */
export interface UnreadableRecord {
	readonly id: string;
	readonly why: string;
}

export interface ReadRecords<T> {
	readonly records: readonly StoredRecord<T>[];
	readonly unreadable: readonly UnreadableRecord[];
}

/**
 * One `record.json` per object, in a folder of its own: FOLDER/ID/record.json. On tmpfs, so never fsynced, and
 * written and read at once.
 */
export class Records<T> {
	readonly #folder: string;
	readonly #kind: string;
	readonly #shape: Shape<StoredRecord<T> & { version: number; kind: string }>;
	readonly #log: Log;
	readonly #check: (value: T, id: string) => void;

	/** `check` throws when the value is none of this id's. */
	constructor(
		folder: string,
		kind: string,
		shape: Shape<T>,
		log: Log,
		check: (value: T, id: string) => void = () => {},
	) {
		this.#folder = folder;
		this.#kind = kind;
		this.#log = log;
		this.#check = check;
		this.#shape = object<StoredRecord<T> & { version: number; kind: string }>({
			version: integer,
			kind: text,
			id: text,
			phase: oneOf('making', 'made', 'removing'),
			value: shape,
		});
	}

	/** The folder of one object. */
	folderOf(id: string): string {
		return join(this.#folder, id);
	}

	/** Makes the folder of a new object. */
	makeFolder(id: string): void {
		try {
			mkdirSync(this.folderOf(id), { mode: 0o700 });
		} catch (error) {
			throw fromSystemError(`Cannot make ${this.folderOf(id)}`, error);
		}
	}

	/** Writes the record of `id`. RESOURCE_EXHAUSTED when there is no room for it. */
	save(id: string, phase: Phase, value: T): void {
		const record = { version: VERSION, kind: this.#kind, id, phase, value };
		replaceFile(join(this.folderOf(id), 'record.json'), toJson(record));
	}

	/** As `save`, for a change that is true whether or not it can be written: a failure is logged. */
	trySave(id: string, phase: Phase, value: T): void {
		try {
			this.save(id, phase, value);
		} catch (error) {
			this.#log.warn(`cannot write the record of ${this.#kind} ${id}`, { error });
		}
	}

	/**
	 * Removes the folder of an object, its record included, as one step: a daemon that ends in the middle leaves no
	 * half of it that would look like an object.
	 */
	async remove(id: string): Promise<void> {
		const removed = join(this.#folder, `${REMOVED}${id}`);
		try {
			await changing('record.rename', () => renameSync(this.folderOf(id), removed));
		} catch (error) {
			if (errnoOf(error) !== 'ENOENT') throw error;
		}
		await changing('record.remove', () => removeTree(removed));
	}

	/** Everything in the folder: read records, and those that cannot be read. */
	async readAll(): Promise<ReadRecords<T>> {
		await mkdir(this.#folder, { recursive: true, mode: 0o700 });
		const entries = await readdir(this.#folder, { withFileTypes: true });
		const folders = entries
			.filter((entry) => entry.isDirectory() || isId(entry.name))
			.map(({ name }) => name);
		const kept: string[] = [];
		const turn = new Turn();
		for (const name of folders) {
			if (!(await this.#sweep(name))) kept.push(name);
			if (turn.isOver) await turn.pass();
		}
		return await this.#readEach(kept);
	}

	/** As `readAll`, for someone who only looks while another may be writing: nothing is removed, nothing made. */
	async look(): Promise<ReadRecords<T>> {
		const names = await readdir(this.#folder).catch((error: unknown) => {
			if (errnoOf(error) === 'ENOENT') return [];
			throw error;
		});
		return await this.#readEach(names.filter(isId));
	}

	async #readEach(ids: readonly string[]): Promise<ReadRecords<T>> {
		const read = await inTurns(ids, (id) => this.#read(id));
		return {
			records: read.filter((item) => 'value' in item),
			unreadable: read.filter((item) => 'why' in item),
		};
	}

	/** Removes what a removal, a making or a write left that was interrupted; answers whether the object is gone. */
	async #sweep(name: string): Promise<boolean> {
		const path = join(this.#folder, name);
		// The record is the first thing in a folder, so without it nothing has been made.
		const files = filesIn(path);
		const isOver = name.startsWith(REMOVED) || files.every(isHalfWritten);
		if (isOver) removeTree(path);
		else if (files.some(isHalfWritten)) await removeHalfWritten(path);
		return isOver;
	}

	#read(id: string): StoredRecord<T> | UnreadableRecord {
		try {
			const json = fromJson(readFileSync(join(this.folderOf(id), 'record.json'), 'utf8'));
			const version = (json as { version?: unknown } | null)?.version;
			if (version !== VERSION) throw dataLoss(`its version is ${String(version)}, expected ${VERSION}`);
			const record = this.#shape(json, 'record');
			if (record.kind !== this.#kind) throw dataLoss(`it is the record of a ${record.kind}`);
			if (record.id !== id) throw dataLoss(`it is the record of ${record.id}`);
			this.#check(record.value, id);
			return { id, phase: record.phase, value: record.value };
		} catch (error) {
			return { id, why: `the record of ${this.#kind} ${id} cannot be read: ${messageOf(error)}` };
		}
	}
}

function filesIn(folder: string): readonly string[] {
	try {
		return readdirSync(folder);
	} catch (error) {
		// A file in the place of the folder: whatever it is, nobody has removed the object.
		if (errnoOf(error) === 'ENOTDIR') return ['.'];
		throw error;
	}
}
