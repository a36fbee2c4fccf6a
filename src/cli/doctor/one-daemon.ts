/** Whether what doctor is given is one daemon's: to a half of it, all that the other half owns looks left behind. */
import { realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { failedPrecondition } from '#base/errors.ts';
import { openCgroups } from '#runtime';
import type { Config } from '../../config/types.ts';
import { LOCK } from '../../startup/locks.ts';
import { systemCgroup } from '../../startup/system-cgroup.ts';
import { type LivingLauncher, livingLaunchers } from './processes.ts';
import { namesIn } from './scene.ts';

type Whose = Pick<Config, 'instance' | 'root' | 'state'>;

const LOOKS = 10;
const PAUSE_MS = 50;

/**
 * FAILED_PRECONDITION when a daemon that runs has the instance name but not the folders, or a folder but not the
 * name. Which locks it holds is seen at its launcher: the text in a lock file is only for people.
 */
export async function refuseHalfOfADaemon(whose: Whose): Promise<void> {
	for (let look = 1; ; look++) {
		const problem = await halfOfADaemon(whose);
		if (problem === undefined) return;
		// One that starts locks its name a moment before folders that are new; one that ends lets go of all.
		if (look === LOOKS) throw failedPrecondition(problem);
		await sleep(PAUSE_MS);
	}
}

async function halfOfADaemon(whose: Whose): Promise<string | undefined> {
	const { instance, root, state } = whose;
	const [cgroup] = (await openCgroups()).members(systemCgroup(whose));
	const [name, ...folders] = await Promise.all(
		[cgroup?.path ?? '', join(root, LOCK), join(state, LOCK)].map(fileAt),
	);
	for (const launcher of await livingLaunchers()) {
		const open = await openFilesOf(launcher);
		const has = (file: string | undefined): boolean => file !== undefined && open.has(file);
		const by = `in use by gantryd (pid ${launcher.daemon})`;
		if (has(name) && !folders.every(has))
			return (
				`The instance name ${instance} is ${by}, whose folders are not ${root} and ${state}: ` +
				"give doctor that daemon's --root and --state"
			);
		if (launcher.instance !== instance && folders.some(has))
			return (
				`The folders ${root} and ${state}, or one of them, are ${by} of instance ${launcher.instance}, not ` +
				`${instance}: give doctor that daemon's --root, --state and --set instance=${launcher.instance}`
			);
	}
	return undefined;
}

/** What tells a file whatever the path to it; undefined when there is none. */
async function fileAt(path: string): Promise<string | undefined> {
	const found = await stat(path).catch(() => undefined);
	return found && `${found.dev}:${found.ino}`;
}

async function openFilesOf({ pid }: LivingLauncher): Promise<ReadonlySet<string | undefined>> {
	const folder = `/proc/${pid}/fd`;
	// It may end meanwhile.
	const names = await namesIn(folder).catch(() => []);
	return new Set(await Promise.all(names.map((fd) => fileAt(join(folder, fd)))));
}

/** FAILED_PRECONDITION when the daemon that answers on `address` tells that it is another one's. */
export async function refuseOtherDaemon(whose: Whose, told: Partial<Whose>, address: string): Promise<void> {
	const differs = await Promise.all(
		(['instance', 'root', 'state'] as const).map(async (key) => {
			const [its = '', ours] = [told[key], whose[key]];
			const isSame = its === '' || its === ours || (key !== 'instance' && (await isSameFolder(its, ours)));
			return isSame ? [] : [`${key} ${its}, not ${ours}`];
		}),
	);
	if (differs.flat().length === 0) return;
	throw failedPrecondition(
		`The daemon on ${address} has ${differs.flat().join('; ')}: ` +
			"give doctor that daemon's --root, --state and --set instance=NAME, or another --address",
	);
}

async function isSameFolder(one: string, other: string): Promise<boolean> {
	const [a, b] = await Promise.all([one, other].map((path) => realpath(path).catch(() => path)));
	return a === b;
}
