import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '#base/errors.ts';
import { readText } from './files.ts';

/** Folders below `folder` (relative names), depth first. A folder that goes away meanwhile is left out. */
export async function childCgroups(folder: string): Promise<string[]> {
	const names = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
		if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENODEV') return [];
		throw error;
	});
	const children = names.filter((entry) => entry.isDirectory()).map(({ name }) => name);
	const below = await Promise.all(
		children.map(async (child) => (await childCgroups(join(folder, child))).map((name) => join(child, name))),
	);
	return children.flatMap((child, index) => [child, ...(below[index] ?? [])]);
}

/** Processes of a cgroup and below. */
export async function processesBelow(folder: string): Promise<number[]> {
	const folders = [folder, ...(await childCgroups(folder)).map((child) => join(folder, child))];
	return folders.flatMap((each) =>
		readText(join(each, 'cgroup.procs'))
			.split('\n')
			.filter((line) => line !== '')
			.map(Number),
	);
}
