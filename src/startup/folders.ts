import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { failedPrecondition, fromSystemError, StatusError } from '#base/errors.ts';
import type { Launcher } from '#runtime';
import type { Config } from '../config/types.ts';

/**
 * Makes the root and state folders. Only root may go into the first: programs of images lie in it, set-uid ones
 * too, and a container can make its /etc/hostname one as well. Others may pass through the second (the CRI socket
 * may lie in it), but not list it.
 */
export async function makeFolders(config: Config): Promise<void> {
	await makeFolder(config.root, 0o700);
	await makeFolder(join(config.root, 'containers'), 0o700);
	await makeFolder(join(config.root, 'sandboxes'), 0o700);
	await makeFolder(config.state, 0o711);
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

/** The launcher of a daemon that was killed ends a moment after it, and what it forked a moment after that. */
const LOCK_PATIENCE_MS = 2000;
const LOCK_PAUSE_MS = 25;

/** Takes a lock, waiting a little for a holder that is about to end. FAILED_PRECONDITION when it does not. */
async function takeLock(launcher: Pick<Launcher, 'lockFile'>, path: string): Promise<void> {
	const patience = AbortSignal.timeout(LOCK_PATIENCE_MS);
	for (;;) {
		try {
			return await launcher.lockFile(path);
		} catch (error) {
			const isHeld = error instanceof StatusError && error.condition === 'FAILED_PRECONDITION';
			if (!isHeld || patience.aborted) throw error;
		}
		await setTimeout(LOCK_PAUSE_MS);
	}
}

/**
 * Locks both folders for as long as the launcher lives, and writes into the lock files who holds them.
 * FAILED_PRECONDITION naming the holder when another daemon has one of them.
 */
export async function lockFolders(
	config: Config,
	launcher: Pick<Launcher, 'lockFile'>,
	program = 'gantryd',
): Promise<void> {
	for (const [option, folder] of [
		['state', config.state],
		['root', config.root],
	] as const) {
		const path = join(folder, 'lock');
		try {
			await takeLock(launcher, path);
		} catch (error) {
			if (!(error instanceof StatusError) || error.condition !== 'FAILED_PRECONDITION') throw error;
			const holder = (await readFile(path, 'utf8').catch(() => '')).trim() || 'another process';
			throw failedPrecondition(
				`The ${option} folder ${folder} is in use by ${holder}. End that, or choose another --${option}`,
				{ cause: error },
			);
		}
		const holder = `${program} (pid ${process.pid}, instance ${config.instance}, ${config.listen})\n`;
		// For people only, and a daemon must be able to start on a full disk.
		await writeFile(path, holder).catch(() => {});
	}
}

/**
 * Locks the instance name for as long as the launcher lives, by the cgroup that the launcher is in: bridge,
 * nftables table and cgroups derive from the name, and two daemons would take each other's for leftovers.
 * FAILED_PRECONDITION when another daemon has it.
 */
export async function lockInstance(
	{ instance }: Pick<Config, 'instance'>,
	launcher: Pick<Launcher, 'lockFile'>,
	[cgroup]: readonly { readonly path: string }[],
): Promise<void> {
	if (cgroup === undefined) return;
	try {
		await takeLock(launcher, cgroup.path);
	} catch (error) {
		if (!(error instanceof StatusError) || error.condition !== 'FAILED_PRECONDITION') throw error;
		throw failedPrecondition(
			`The instance name ${instance} is in use by another gantryd, whose processes are in ${cgroup.path}. ` +
				'Stop that daemon, or choose another instance',
			{ cause: error },
		);
	}
}
