import { rmdir } from 'node:fs/promises';
import type { Log } from '#base/log.ts';
import { type Cgroups, type Launcher, nativeBinary, startLauncher } from '#runtime';
import type { Config } from '../config/types.ts';
import { lockFolders, lockInstance } from './folders.ts';
import { LauncherKeeper } from './launcher-keeper.ts';
import { systemCgroup } from './system-cgroup.ts';

/** Starts the launcher, which holds the locks of both folders and lives in the instance's own cgroup. */
export async function startOwnLauncher(config: Config, log: Log, cgroups: Cgroups): Promise<LauncherKeeper> {
	const binary = nativeBinary('gantry-shim', config.runtime.nativeFolder);
	const start = async (): Promise<Launcher> => {
		const launcher = await startLauncher({ binary, instance: config.instance, log });
		try {
			await lockFolders(config, launcher);
			const members = cgroups.members(systemCgroup(config));
			await launcher.enterCgroups(members);
			await lockInstance(config, launcher, members);
			return launcher;
		} catch (error) {
			await launcher.close();
			throw error;
		}
	};
	return await LauncherKeeper.start({ start, log });
}

/** Ends the launcher, and removes the instance's cgroups when nothing lives in them any more. */
export async function endOwnLauncher(launcher: Launcher, config: Config, cgroups: Cgroups): Promise<void> {
	await launcher.close();
	for (const cgroup of [systemCgroup(config), `/${config.instance}`]) {
		// EBUSY: shims or containers live on in it. ENOENT: it was never made in this hierarchy.
		await Promise.all(cgroups.folders(cgroup).map((folder) => rmdir(folder).catch(() => {})));
	}
}
