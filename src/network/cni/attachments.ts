import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { removeHalfWritten, writeFileAtomic } from '#base/atomic-file.ts';
import { dataLoss, errnoOf, messageOf } from '#base/errors.ts';
import { isId } from '#base/ids.ts';
import type { Attachment } from './chain.ts';
import { decodeNetwork, encodeNetwork, isObject, type Json } from './config.ts';

/** An attachment with the token by which the sandbox's hooks are known. */
export interface StoredAttachment extends Attachment {
	readonly token: string;
}

/**
 * The attachments of an instance, one file each: written before ADD, so that there is always something to do DEL
 * with, and removed after DEL. They lie on disk and not with the sandbox, because plugins keep addresses on disk
 * too: after a reboot both are still there, and DEL frees what would be lost otherwise.
 */
export class AttachmentStore {
	readonly #folder: string;

	constructor(folder: string) {
		this.#folder = folder;
	}

	async write(attachment: StoredAttachment): Promise<void> {
		await mkdir(this.#folder, { recursive: true, mode: 0o700 });
		const value = { version: 1, ...attachment, network: encodeNetwork(attachment.network) };
		await writeFileAtomic(this.#path(attachment.sandboxId), JSON.stringify(value), { durable: true });
	}

	/** Removes what a killed daemon was writing. */
	async sweep(): Promise<void> {
		await removeHalfWritten(this.#folder);
	}

	/** When it was last written, in milliseconds since 1970. */
	async writtenMs(sandboxId: string): Promise<number | undefined> {
		return (await stat(this.#path(sandboxId)).catch(() => undefined))?.mtimeMs;
	}

	/** undefined when there is none; DATA_LOSS when it cannot be read. */
	async read(sandboxId: string): Promise<StoredAttachment | undefined> {
		const path = this.#path(sandboxId);
		try {
			return decode(JSON.parse(await readFile(path, 'utf8')));
		} catch (error) {
			if (errnoOf(error) === 'ENOENT') return undefined;
			throw dataLoss(`Cannot read the CNI attachment ${path}: ${messageOf(error)}`, { cause: error });
		}
	}

	remove(sandboxId: string): Promise<void> {
		return rm(this.#path(sandboxId), { force: true });
	}

	/** The sandboxes that have one. */
	async list(): Promise<string[]> {
		const names = await readdir(this.#folder).catch((): string[] => []);
		return names
			.filter((name) => name.endsWith('.json'))
			.map((name) => name.slice(0, -'.json'.length))
			.filter(isId);
	}

	#path(sandboxId: string): string {
		return join(this.#folder, `${sandboxId}.json`);
	}
}

function decode(value: unknown): StoredAttachment {
	if (!isObject(value) || value.version !== 1 || !isObject(value.network))
		throw new TypeError('another form than this version writes');
	const text = (key: string): string => {
		const field = value[key];
		if (typeof field !== 'string') throw new TypeError(`${key} is no text`);
		return field;
	};
	return {
		network: decodeNetwork(value.network),
		sandboxId: text('sandboxId'),
		netns: text('netns'),
		interfaceName: text('interfaceName'),
		args: text('args'),
		token: text('token'),
		capabilities: objectOr(value.capabilities, {}),
		result: objectOr(value.result, undefined),
	};
}

function objectOr<T>(value: unknown, other: T): Json | T {
	return isObject(value) ? value : other;
}
