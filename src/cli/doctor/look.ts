import { rmdir, stat } from 'node:fs/promises';
import { silentLog } from '#base/log.ts';
import { type Launcher, nativeBinary, startLauncher } from '#runtime';
import type { Config } from '../../config/types.ts';
import { findCgroups } from './cgroups.ts';
import { findFiles } from './files.ts';
import type { Finding } from './finding.ts';
import { findImages } from './images.ts';
import { findMounts } from './mounts.ts';
import { findNetwork } from './network.ts';
import { findProcesses } from './processes.ts';
import { repair } from './repair.ts';
import { isOwned, type Owned, readOwned, type Scene } from './scene.ts';

export interface Examination {
	readonly findings: readonly Finding[];
	/** Sentences about what could not be removed. Empty without `fix`. */
	readonly failures: readonly string[];
}

export interface LookOptions {
	readonly config: Config;
	readonly daemonRuns: boolean;
	readonly fix: boolean;
	/** While a daemon runs, what is younger than this is no finding: it may be in the making. Default 60000. */
	readonly youngMs?: number;
}

const YOUNG_MS = 60_000;

/** Looks at everything of one instance on this machine; with `fix`, takes away what nobody owns. */
export async function examine(options: LookOptions): Promise<Examination> {
	const { config, daemonRuns, fix, youngMs = YOUNG_MS } = options;
	const stateExisted = (await stat(config.state).catch(() => undefined)) !== undefined;
	const binary = nativeBinary('gantry-shim', config.runtime.nativeFolder);
	const launcher = await startLauncher({ binary, instance: config.instance, log: silentLog });
	try {
		const scene: Scene = { config, daemonRuns, owned: await readOwned(config.state) };
		const seen = await look(scene, launcher, false);
		const findings = seen.filter(isStillLost(scene, await readOwned(config.state), youngMs));
		if (!fix || findings.length === 0) return { findings, failures: [] };
		const failures = await repair(findings, launcher);
		if (findings.some(({ removal }) => removal.how === 'finder')) {
			await findNetwork(scene, launcher, true);
			await findImages(scene, launcher, true);
		}
		return { findings, failures };
	} finally {
		await launcher.close();
		// The network room makes its folder; where there was none, looking must leave none.
		if (!stateExisted) await rmdir(config.state).catch(() => undefined);
	}
}

async function look(scene: Scene, launcher: Launcher, fix: boolean): Promise<readonly Finding[]> {
	const found = await Promise.all([
		findProcesses(scene, launcher.pid),
		findCgroups(scene),
		findMounts(scene),
		findNetwork(scene, launcher, fix),
		findFiles(scene),
		findImages(scene, launcher, fix),
	]);
	return found.flat();
}

/** Drops what got a record while we looked, and what a running daemon may be making right now. */
function isStillLost({ daemonRuns }: Scene, now: Owned, youngMs: number): (finding: Finding) => boolean {
	return ({ owner, sinceMs }) => {
		if (owner !== '' && (isOwned(now, owner) || now.pods.has(owner))) return false;
		return !daemonRuns || sinceMs === undefined || Date.now() - sinceMs > youngMs;
	};
}
