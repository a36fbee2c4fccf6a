import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { failedPrecondition, fromSystemError, StatusError } from '#base/errors.ts';
import type { Launcher } from '#runtime';
import type { Config } from '../config/types.ts';

/** Makes the root and state folders: only root may look into them. */
export async function makeFolders(config: Config): Promise<void> {
	for (const [option, path] of [
		['root', config.root],
		['state', config.state],
	] as const) {
		try {
			await mkdir(path, { recursive: true, mode: 0o700 });
			// The CRI socket may lie in the state folder, and its group must be able to get there.
			await chmod(path, option === 'state' ? 0o711 : 0o700);
		} catch (error) {
			throw fromSystemError(`Cannot make the ${option} folder ${path}`, error);
		}
	}
	for (const name of ['sandboxes', 'containers', 'shims']) await privateFolder(join(config.state, name));
	await privateFolder(join(config.root, 'containers'));
}

async function privateFolder(path: string): Promise<void> {
	await mkdir(path, { recursive: true, mode: 0o700 });
}

/**
 * Locks both folders for as long as the launcher lives, and writes into the lock files who holds them.
 * FAILED_PRECONDITION naming the holder when another daemon has one of them.
 */
export async function lockFolders(config: Config, launcher: Pick<Launcher, 'lockFile'>): Promise<void> {
	for (const [option, folder] of [
		['state', config.state],
		['root', config.root],
	] as const) {
		const path = join(folder, 'lock');
		try {
			await launcher.lockFile(path);
		} catch (error) {
			if (!(error instanceof StatusError) || error.condition !== 'FAILED_PRECONDITION') throw error;
			const holder = (await readFile(path, 'utf8').catch(() => '')).trim() || 'another process';
			throw failedPrecondition(
				`The ${option} folder ${folder} is in use by ${holder}. Stop that daemon, or choose another --${option}`,
				{ cause: error },
			);
		}
		await writeFile(path, `gantryd (pid ${process.pid}, instance ${config.instance}, ${config.listen})\n`);
	}
}
