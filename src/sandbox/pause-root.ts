import { chmod, copyFile, mkdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fromSystemError } from '#base/errors.ts';
import { nativeBinary } from '#runtime';

/** Where the root file system of every sandbox is: ROOT/pause. */
export function pauseRoot(root: string): string {
	return join(root, 'pause');
}

/**
 * Makes it: the `pause` program and the places that sandboxes mount over. Sandboxes that run keep the old program.
 * Needs no room when everything is there: a daemon must be able to start on a full disk.
 */
export async function makePauseRoot(root: string, nativeFolder: string): Promise<void> {
	const folder = pauseRoot(root);
	const source = nativeBinary('pause', nativeFolder);
	const program = join(folder, 'pause');
	const temporary = join(folder, '.pause.tmp');
	try {
		for (const name of ['dev', 'etc', 'proc', 'sys'])
			await mkdir(join(folder, name), { recursive: true, mode: 0o755 });
		// Other users run it, whatever our umask and the mode of the folders above say.
		await chmod(folder, 0o755);
		if (await isSame(source, program)) return;
		await copyFile(source, temporary);
		await chmod(temporary, 0o755);
		await rename(temporary, program);
	} catch (error) {
		await rm(temporary, { force: true });
		throw fromSystemError(
			`Cannot make ${folder} with ${source} (build it with make -C runtime/native)`,
			error,
		);
	}
}

async function isSame(source: string, program: string): Promise<boolean> {
	const [ours, there] = await Promise.all([readFile(source), readFile(program).catch(() => undefined)]);
	return there?.equals(ours) ?? false;
}
