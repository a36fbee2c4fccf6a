import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '#base/errors.ts';
import { Turn } from '#base/turns.ts';
import { readText } from './files.ts';

/** Folders below `folder` (relative names), depth first. A folder that goes away meanwhile is left out. */
export async function childCgroups(folder: string): Promise<string[]> {
	const found: string[] = [];
	const turn = new Turn();
	const waiting = subfolders(folder);
	for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
		found.push(path);
		for (const name of subfolders(join(folder, path))) waiting.push(`${path}/${name}`);
		if (turn.isOver) await turn.pass();
	}
	return found;
}

/** At once and in turns: these are tables of the kernel, and asking a thread for each takes ten times as long. */
function subfolders(folder: string): string[] {
	try {
		// Its own two links and one of each folder in it. A file system that does not count has 1.
		if (statSync(folder).nlink === 2) return [];
		const entries = readdirSync(folder, { withFileTypes: true });
		return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
	} catch (error) {
		if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENODEV') return [];
		throw error;
	}
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
