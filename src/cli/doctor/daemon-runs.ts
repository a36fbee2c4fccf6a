import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { StatusError } from '#base/errors.ts';
import { silentLog } from '#base/log.ts';
import { nativeBinary, startLauncher } from '#runtime';
import type { Config } from '../../config/types.ts';

const LOOKS = 5;
const PAUSE_MS = 50;

/**
 * Whether a daemon has the state folder, be it that it does not serve yet or no more: its launcher holds the lock of
 * the folder. A launcher that outlived its daemon does too; then the daemon that the lock file names is gone.
 */
export async function daemonHolds(config: Config): Promise<boolean> {
	const path = join(config.state, 'lock');
	// One that starts takes the lock first and writes its name a moment later.
	for (let look = 0; look < LOOKS; look++) {
		if (!(await isLocked(config, path))) return false;
		if (await nameIsAlive(path)) return true;
		await sleep(PAUSE_MS);
	}
	return false;
}

/** By trying to take it, for which a launcher of its own lives for a moment. */
async function isLocked(config: Config, path: string): Promise<boolean> {
	if ((await stat(path).catch(() => undefined)) === undefined) return false;
	const binary = nativeBinary('gantry-shim', config.runtime.nativeFolder);
	const launcher = await startLauncher({ binary, instance: config.instance, log: silentLog });
	try {
		await launcher.lockFile(path);
		return false;
	} catch (error) {
		if (error instanceof StatusError && error.condition === 'FAILED_PRECONDITION') return true;
		throw error;
	} finally {
		await launcher.close();
	}
}

async function nameIsAlive(lock: string): Promise<boolean> {
	const pid = /\(pid (\d+),/.exec(await readFile(lock, 'utf8').catch(() => ''))?.[1] ?? '';
	const words = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
	return /(^|\/)gantry(d)?(\.ts)?(\0|$)/.test(words);
}
