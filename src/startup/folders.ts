import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fromSystemError } from '#base/errors.ts';
import { isTmpfs } from '#base/tmpfs.ts';
import type { Config } from '../config/types.ts';

/**
 * Makes the root and state folders. Only root may go into the first: programs of images lie in it, set-uid ones
 * too, and a container can make its /etc/hostname one as well. Others may pass through the second (the CRI socket
 * may lie in it), but not list it.
 */
export async function makeFolders(config: Config): Promise<void> {
	await makeFolder(config.root, 0o700);
	await makeFolder(config.state, 0o711);
	await makeFolder(join(config.root, 'containers'), 0o700);
	await makeFolder(join(config.root, 'sandboxes'), 0o700);
	await makeFolder(join(config.state, 'shims'), 0o700);
}

async function makeFolder(path: string, mode: number): Promise<void> {
	try {
		await mkdir(path, { recursive: true });
		await chmod(path, mode);
	} catch (error) {
		throw fromSystemError(`Cannot make the folder ${path}`, error);
	}
}

/** What a user should know of where the folders lie; undefined: nothing. */
export async function folderWarning({
	root,
	state,
}: Pick<Config, 'root' | 'state'>): Promise<string | undefined> {
	if (`${state}/`.startsWith(`${root}/`))
		return (
			`The state folder ${state} is within the root folder ${root}: it outlives a reboot there, and every change of ` +
			'a pod is written to a disk; choose one on a tmpfs, such as /run/gantry: --state'
		);
	if (!(await isTmpfs(root).catch(() => false))) return undefined;
	return (
		`The root folder ${root} is on a tmpfs: images and writable layers take memory, and a reboot loses them; ` +
		'choose a folder on a disk: --root'
	);
}
