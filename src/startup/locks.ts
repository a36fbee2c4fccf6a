/** What keeps two daemons apart: a lock in each folder, and one of the instance name. */
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { failedPrecondition, StatusError } from '#base/errors.ts';
import type { Launcher } from '#runtime';
import type { Config } from '../config/types.ts';

type Locker = Pick<Launcher, 'lockFile'>;
type Option = 'state' | 'root';

const OPTIONS: readonly Option[] = ['state', 'root'];
/** The file of a folder that is locked. */
export const LOCK = 'lock';
const lockIn = (folder: string): string => join(folder, LOCK);

/** The launcher of a daemon that was killed ends a moment after it, and what it forked a moment after that. */
const LOCK_PATIENCE_MS = 2000;
const LOCK_PAUSE_MS = 25;

/** Takes a lock, waiting a little for a holder that is about to end. False when it does not. */
async function takeLock(launcher: Locker, path: string): Promise<boolean> {
	const patience = AbortSignal.timeout(LOCK_PATIENCE_MS);
	for (;;) {
		try {
			await launcher.lockFile(path);
			return true;
		} catch (error) {
			if (!(error instanceof StatusError) || error.condition !== 'FAILED_PRECONDITION') throw error;
			if (patience.aborted) return false;
		}
		await setTimeout(LOCK_PAUSE_MS);
	}
}

/** Whether a daemon has had this folder: it can be locked without making anything. */
export const isUsed = (folder: string): boolean => existsSync(lockIn(folder));

export const usedFolders = (config: Config): readonly Option[] =>
	OPTIONS.filter((option) => isUsed(config[option]));

/**
 * Locks folders for as long as the launcher lives, and writes into the lock files who holds them.
 * FAILED_PRECONDITION naming the holder when another daemon has one of them.
 */
export async function lockFolders(
	config: Config,
	launcher: Locker,
	{ program = 'gantryd', options = OPTIONS }: { program?: string; options?: readonly Option[] } = {},
): Promise<void> {
	for (const option of options) {
		const folder = config[option];
		const path = lockIn(folder);
		if (!(await takeLock(launcher, path))) {
			const holder = (await readFile(path, 'utf8').catch(() => '')).trim() || 'another process';
			throw failedPrecondition(
				`The ${option} folder ${folder} is in use by ${holder}. End that, or choose another --${option}`,
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
	launcher: Locker,
	[cgroup]: readonly { readonly path: string }[],
): Promise<void> {
	if (cgroup === undefined || (await takeLock(launcher, cgroup.path))) return;
	throw failedPrecondition(
		`The instance name ${instance} is in use by ${await daemonIn(cgroup.path)}, whose processes are in ` +
			`${cgroup.path}. End that, or choose another name: --set instance=NAME`,
	);
}

/** The daemon whose launcher is in a cgroup, for people. A folder has no room for the name of who locks it. */
async function daemonIn(cgroup: string): Promise<string> {
	const members = (await readFile(join(cgroup, 'cgroup.procs'), 'utf8').catch(() => '')).split('\n');
	for (const pid of members.filter((one) => one !== '' && Number(one) !== process.pid)) {
		const words = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
		if (words.split('\0')[1] !== 'launcher') continue;
		const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
		const parent = /^PPid:\s*(\d+)$/m.exec(status)?.[1];
		if (parent !== undefined && parent !== String(process.pid)) return `gantryd (pid ${parent})`;
	}
	return 'another gantryd';
}
