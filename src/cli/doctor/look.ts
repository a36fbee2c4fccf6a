import { rmdir, stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { silentLog } from '#base/log.ts';
import { type Launcher, nativeBinary, startLauncher } from '#runtime';
import type { Config } from '../../config/types.ts';
import { findCgroups } from './cgroups.ts';
import { findFiles } from './files.ts';
import { type Finding, sameFinding } from './finding.ts';
import { findImages } from './images.ts';
import { findMounts } from './mounts.ts';
import { findNetwork } from './network.ts';
import { findProcesses } from './processes.ts';
import { findProfiles } from './profiles.ts';
import { type RemoveByDaemon, repair } from './repair.ts';
import { isOwned, type Owned, readOwned, type Scene } from './scene.ts';
import { findUnfinished } from './unfinished.ts';

/** A finding that says, too, whose it is. */
export type ToldFinding = Finding & {
	/** `container NAME of pod NAMESPACE/NAME`, as far as anything tells; '' when nothing does. */
	readonly ownerName: string;
};

export interface Examination {
	readonly findings: readonly ToldFinding[];
	/** Sentences about what could not be removed. Empty without `fix`. */
	readonly failures: readonly string[];
}

export interface LookOptions {
	readonly config: Config;
	readonly daemonRuns: boolean;
	readonly fix: boolean;
	/** While a daemon runs, a file or folder younger than this is no finding. Default 60000. */
	readonly youngMs?: number;
	readonly removeByDaemon?: RemoveByDaemon;
}

/** What may be in the making. Of everything but files and folders there is a record before it is made. */
const YOUNG_MS = 60_000;
/** What a second look does not see any more was on its way out; each later look waits longer. */
const PAUSES_MS = [200, 500];

/** Looks at everything of one instance on this machine; with `fix`, takes away what nobody owns. */
export async function examine(options: LookOptions): Promise<Examination> {
	const { config } = options;
	const stateExisted = (await stat(config.state).catch(() => undefined)) !== undefined;
	const binary = nativeBinary('gantry-shim', config.runtime.nativeFolder);
	const launcher = await startLauncher({ binary, instance: config.instance, log: silentLog });
	try {
		const found = await findAll(options, launcher);
		const findings = withNames(found, (await readOwned(config.state, options.daemonRuns)).names);
		if (!options.fix || findings.length === 0) return { findings, failures: [] };
		const failures = await repair({ ...options, findings, launcher });
		const left = (await findAll(options, launcher)).filter((after) =>
			findings.some((before) => before.removal.how !== 'none' && sameFinding(before, after)),
		);
		return {
			findings,
			failures: [...failures, ...left.map(({ kind, name }) => `${kind} ${name} is still there`)],
		};
	} finally {
		await launcher.close();
		// The network room makes its folder; where there was none, looking must leave none.
		if (!stateExisted) await rmdir(config.state).catch(() => undefined);
	}
}

/** What every one of several looks sees: the machine does not stand still while it is looked at. */
async function findAll(options: LookOptions, launcher: Launcher): Promise<readonly Finding[]> {
	let findings = await look(options, launcher);
	for (const pause of options.daemonRuns ? PAUSES_MS : PAUSES_MS.slice(0, 1)) {
		if (findings.length === 0) break;
		await sleep(pause);
		const again = await look(options, launcher);
		findings = again.filter((finding) => findings.some((before) => sameFinding(before, finding)));
	}
	return findings;
}

async function look(
	{ config, daemonRuns, youngMs = YOUNG_MS }: LookOptions,
	launcher: Launcher,
): Promise<readonly Finding[]> {
	const scene: Scene = { config, daemonRuns, owned: await readOwned(config.state, daemonRuns) };
	const found = await Promise.all([
		findProcesses(scene, launcher.pid),
		findCgroups(scene),
		findMounts(scene),
		findNetwork(scene, launcher),
		findProfiles(scene),
		findUnfinished(scene),
		findFiles(scene),
		findImages(scene, launcher),
	]);
	return found.flat().filter(isStillLost(scene, await readOwned(config.state, daemonRuns), youngMs));
}

/** Drops what got a record while we looked, and what a running daemon may be making right now. */
function isStillLost({ daemonRuns }: Scene, now: Owned, youngMs: number): (finding: Finding) => boolean {
	return ({ owner, ofLiving = false, sinceMs, removal }) => {
		if (owner !== '' && !ofLiving && isOwned(now, owner)) return false;
		const isFile = removal.how === 'tree' || removal.how === 'daemon';
		return !daemonRuns || !isFile || sinceMs === undefined || Date.now() - sinceMs > youngMs;
	};
}

/** A record tells best whose a thing is; else what any thing of the same owner tells. */
function withNames(findings: readonly Finding[], names: Owned['names']): readonly ToldFinding[] {
	const told = (owner: string): string => {
		const same = findings.filter((other) => other.owner.startsWith(owner) || owner.startsWith(other.owner));
		return same.find((other) => other.owner !== '' && other.ownerName)?.ownerName ?? '';
	};
	return findings.map((finding) => {
		const { owner } = finding;
		const full = [...names.keys()].find(
			(id) => id === owner || (/^[0-9a-f]{13,}$/.test(owner) && id.startsWith(owner)),
		);
		const name = full === undefined ? undefined : names.get(full);
		return { ...finding, ownerName: owner === '' ? '' : (name ?? told(owner)) };
	});
}
