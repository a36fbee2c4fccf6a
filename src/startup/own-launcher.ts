import { rmdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { errnoOf } from '#base/errors.ts';
import type { Log } from '#base/log.ts';
import { type Cgroups, type Launcher, nativeBinary, startLauncher } from '#runtime';
import type { Config } from '../config/types.ts';
import { makeFolders } from './folders.ts';
import { LauncherKeeper } from './launcher-keeper.ts';
import { lockFolders, lockInstance, usedFolders } from './locks.ts';
import { systemCgroup } from './system-cgroup.ts';

/**
 * Starts the launcher, which holds the locks of both folders and lives in the instance's own cgroup. The folders are
 * made here: only after every lock that another daemon may hold has been taken.
 */
export async function startOwnLauncher(config: Config, log: Log, cgroups: Cgroups): Promise<LauncherKeeper> {
	const binary = nativeBinary('gantry-shim', config.runtime.nativeFolder);
	const start = async (): Promise<Launcher> => {
		const launcher = await startLauncher({ binary, instance: config.instance, log });
		try {
			const used = usedFolders(config);
			await lockFolders(config, launcher, { options: used });
			const members = cgroups.members(systemCgroup(config));
			await launcher.enterCgroups(members);
			await lockInstance(config, launcher, members);
			await prepareFolders(config, launcher, used).catch(async (error: unknown) => {
				await endOwnLauncher(launcher, config, cgroups);
				throw error;
			});
			return launcher;
		} catch (error) {
			await launcher.close();
			throw error;
		}
	};
	return await LauncherKeeper.start({ start, log });
}

async function prepareFolders(config: Config, launcher: Launcher, used: ReturnType<typeof usedFolders>) {
	await makeFolders(config);
	await lockFolders(config, launcher, {
		options: (['state', 'root'] as const).filter((option) => !used.includes(option)),
	});
}

/**
 * Ends the launcher, and removes the instance's cgroups when nothing lives in them any more. `noPodIsLeft`: whoever is
 * still in there is about to end, a child of a shim that was killed for example.
 */
export async function endOwnLauncher(
	launcher: Launcher,
	config: Config,
	cgroups: Cgroups,
	noPodIsLeft = false,
): Promise<void> {
	await launcher.close();
	for (const cgroup of [systemCgroup(config), `/${config.instance}`])
		await removeIdle(cgroups, cgroup, noPodIsLeft);
}

/** How long init may take to reap what has died in a cgroup; on a busy node it waits for the processor, too. */
const REAP_PATIENCE_MS = 5000;
const REAP_PAUSE_MS = 10;

/** Shims or containers that live on in a cgroup keep it; the dead that nobody has reaped yet are waited for. */
async function removeIdle(cgroups: Cgroups, cgroup: string, allMustEnd: boolean): Promise<void> {
	const patience = AbortSignal.timeout(REAP_PATIENCE_MS);
	for (;;) {
		const removed = await Promise.all(cgroups.folders(cgroup).map(removeFolder));
		if (!removed.includes('busy') || patience.aborted) return;
		if (!allMustEnd && (await cgroups.processes(cgroup)).length > 0) return;
		await sleep(REAP_PAUSE_MS);
	}
}

/** A folder that was never made in this hierarchy is as good as removed. */
const removeFolder = (folder: string): Promise<'gone' | 'busy'> =>
	rmdir(folder).then(
		() => 'gone',
		(error: unknown) => (errnoOf(error) === 'EBUSY' ? 'busy' : 'gone'),
	);
