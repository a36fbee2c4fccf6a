import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { dataLoss, errnoOf, fromSystemError } from '#base/errors.ts';
import type { ExitRecord } from './types.ts';

/**
 * What the shim wrote when the container ended (file `exit`: lines of `name=value`); undefined when it has not.
 * `id` defaults to the folder's name. DATA_LOSS when the file lacks a line.
 */
export async function readExitRecord(folder: string, id = basename(folder)): Promise<ExitRecord | undefined> {
	const path = join(folder, 'exit');
	let text: string;
	try {
		text = await readFile(path, 'utf8');
	} catch (error) {
		if (errnoOf(error) === 'ENOENT') return undefined;
		throw fromSystemError(`Cannot read the exit record of ${id}`, error);
	}
	const value = (name: string): string => {
		const found = new RegExp(`^${name}=(-?\\d+)$`, 'm').exec(text)?.[1];
		if (found === undefined) throw dataLoss(`The exit record ${path} has no ${name}`);
		return found;
	};
	return {
		id,
		pid: Number(value('pid')),
		exitCode: Number(value('exit_code')),
		signal: Number(value('signal')),
		exitedAtNs: BigInt(value('exited_at_ns')),
	};
}
