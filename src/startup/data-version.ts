/** Refusal of folders that a newer daemon has written, so that an older one does no harm in them. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { removeHalfWritten, writeFileAtomic } from '#base/atomic-file.ts';
import { errnoOf, messageOf } from '#base/errors.ts';
import type { Log } from '#base/log.ts';
import { ConfigError } from '../config/config-error.ts';
import type { Config } from '../config/types.ts';
import { VERSION } from './version.ts';

/** Raised when this daemon writes below --state or --root (the image store included) what the one before would misread. */
const DATA_VERSION = 2;

interface VersionFile {
	readonly version: number;
	/** The daemon that wrote it, for people. */
	readonly writtenBy: string;
}

type Folders = Pick<Config, 'root' | 'state'>;

const pathIn = (folder: string): string => join(folder, 'version.json');

/** FAILED_PRECONDITION when one of the folders was written by a newer daemon. Changes nothing. */
export async function refuseNewerData({ root, state }: Folders): Promise<void> {
	for (const [option, folder] of Object.entries({ state, root })) {
		const found = await read(folder).catch(() => undefined);
		if (found !== undefined && found.version > DATA_VERSION)
			throw new ConfigError(
				'FAILED_PRECONDITION',
				`The ${option} folder ${folder} was written by gantryd ${found.writtenBy} (data version ${found.version}); ` +
					`this is gantryd ${VERSION}, which knows data version ${DATA_VERSION}. Nothing was changed. Start ` +
					`gantryd ${found.writtenBy} or a newer one; or remove all pods with it first, and then the folder`,
			);
	}
}

/**
 * Notes the version in both folders. A file that cannot be read or written keeps nobody from starting: every record
 * tells its version itself.
 */
export async function writeDataVersion({ root, state }: Folders, log: Log): Promise<void> {
	for (const folder of [state, root]) {
		try {
			const found = await read(folder).catch((error) => {
				log.warn('The version of a folder cannot be read and is written anew', {
					folder,
					error: messageOf(error),
				});
				return undefined;
			});
			const now: VersionFile = { version: DATA_VERSION, writtenBy: VERSION };
			await removeHalfWritten(folder);
			if (found?.version === now.version && found.writtenBy === now.writtenBy) continue;
			await writeFileAtomic(pathIn(folder), `${JSON.stringify(now)}\n`, { durable: true });
		} catch (error) {
			log.error('The version of a folder cannot be noted', { folder, error: messageOf(error) });
		}
	}
}

/** undefined when there is none. */
async function read(folder: string): Promise<VersionFile | undefined> {
	try {
		const { version, writtenBy } = JSON.parse(await readFile(pathIn(folder), 'utf8')) as Partial<VersionFile>;
		if (typeof version !== 'number' || typeof writtenBy !== 'string')
			throw new TypeError(`${pathIn(folder)} is no version file`);
		return { version, writtenBy };
	} catch (error) {
		if (errnoOf(error) === 'ENOENT') return undefined;
		throw error;
	}
}
