import { chmod, mkdir, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { failedPrecondition, fromSystemError } from '#base/errors.ts';
import { isWithin } from '#base/paths.ts';
import { isTmpfs } from '#base/tmpfs.ts';
import type { Config } from '../config/types.ts';
import { COMPILED } from './compiled-code.ts';
import { isUsed } from './locks.ts';

const ROOT_MODE = 0o700;
const STATE_MODE = 0o711;

/**
 * Makes the root and state folders. Only root may go into the first: programs of images lie in it, set-uid ones
 * too, and a container can make its /etc/hostname one as well. Others may pass through the second (the CRI socket
 * may lie in it), but not list it.
 */
export async function makeFolders(config: Config): Promise<void> {
	await refuseForeign('root', config.root, ROOT_MODE);
	await refuseForeign('state', config.state, STATE_MODE);
	await makeFolder(config.root, ROOT_MODE);
	await makeFolder(config.state, STATE_MODE);
	await makeFolder(join(config.root, 'containers'), 0o700);
	await makeFolder(join(config.root, 'sandboxes'), 0o700);
	await makeFolder(join(config.state, 'shims'), 0o700);
}

/** A folder that others use, such as /tmp, is not closed to them because somebody has named it by mistake. */
async function refuseForeign(option: string, path: string, mode: number): Promise<void> {
	const stats = await stat(path).catch(() => undefined);
	if (stats?.isDirectory() !== true || isUsed(path) || (stats.mode & 0o777 & ~mode) === 0) return;
	const theirs = (await readdir(path)).find((name) => name !== COMPILED && name !== 'lost+found');
	if (theirs === undefined) return;
	throw failedPrecondition(
		`The ${option} folder ${path} is open to others and has files that are not Gantry's (${theirs}): choose an ` +
			`empty folder with --${option}, or close it with chmod ${mode.toString(8)}`,
	);
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
	if (isWithin(state, root))
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
