import { watch } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { errnoOf, messageOf } from '#base/errors.ts';
import { type CniNetwork, CONFIG_EXTENSIONS, parseNetwork } from './config.ts';

export interface LoadedConfiguration {
	/** The first valid one, by the names of the files. */
	readonly network: CniNetwork | undefined;
	/** What is wrong with files that came before it, or why there is none. One sentence each. */
	readonly problems: readonly string[];
}

/** Reads a folder of CNI configurations. Never throws: a folder that cannot be read is a problem too. */
export async function loadConfiguration(folder: string): Promise<LoadedConfiguration> {
	const problems: string[] = [];
	let names: string[];
	try {
		names = (await readdir(folder)).filter((name) => CONFIG_EXTENSIONS.includes(extname(name))).toSorted();
	} catch (error) {
		const why = errnoOf(error) === 'ENOENT' ? 'it does not exist' : messageOf(error);
		return { network: undefined, problems: [`no CNI configuration can be read in ${folder}: ${why}`] };
	}
	for (const name of names) {
		try {
			return { network: parseNetwork(name, await readFile(join(folder, name), 'utf8')), problems };
		} catch (error) {
			problems.push(messageOf(error));
		}
	}
	if (names.length === 0) problems.push(`no CNI configuration in ${folder}`);
	return { network: undefined, problems };
}

const SETTLE_MS = 100;
const POLL_MS = 5000;

/**
 * Calls back when something in a folder may have changed. The folder may come, go and come back: its parent is
 * watched as well, and a slow poll backs up both (network file systems, lost watches, missing parents).
 */
export function watchFolder(folder: string, onChange: () => void, { pollMs = POLL_MS } = {}): Disposable {
	let settle: NodeJS.Timeout | undefined;
	let watches: Disposable[] = [];
	let closed = false;
	const arm = () => {
		for (const one of watches) one[Symbol.dispose]();
		const own = watchPath(folder, () => true, changed);
		const parent = watchPath(dirname(folder), (name) => name === null || name === basename(folder), changed);
		watches = [own, parent].filter((one) => one !== undefined);
	};
	const changed = () => {
		clearTimeout(settle);
		settle = setTimeout(() => {
			if (closed) return;
			arm();
			onChange();
		}, SETTLE_MS).unref();
	};
	arm();
	const poll = setInterval(onChange, pollMs).unref();
	return {
		[Symbol.dispose]: () => {
			closed = true;
			clearTimeout(settle);
			clearInterval(poll);
			for (const one of watches) one[Symbol.dispose]();
		},
	};
}

function watchPath(
	path: string,
	wanted: (name: string | null) => boolean,
	changed: () => void,
): Disposable | undefined {
	try {
		const watcher = watch(path, { persistent: false }, (_event, name) => {
			if (wanted(name)) changed();
		});
		watcher.on('error', () => watcher.close());
		return { [Symbol.dispose]: () => watcher.close() };
	} catch {
		return undefined;
	}
}
