import { rm, stat } from 'node:fs/promises';
import { errnoOf, messageOf } from '#base/errors.ts';
import { checkProcess, type Launcher, type Op, openCgroups } from '#runtime';
import { appArmorKernel } from '../../apparmor/kernel.ts';
import type { Config } from '../../config/types.ts';
import { lockFolders, lockInstance } from '../../startup/locks.ts';
import { systemCgroup } from '../../startup/system-cgroup.ts';
import type { CgroupMember, Finding, Removal } from './finding.ts';
import { removeImageData } from './images.ts';
import { findNetwork } from './network.ts';
import { readOwned } from './scene.ts';

const KILL_TIMEOUT_MS = 5000;

/** Asks the daemon that runs to remove an object. */
export type RemoveByDaemon = (object: 'sandbox' | 'container', id: string) => Promise<void>;

export interface RepairOptions {
	readonly config: Config;
	readonly daemonRuns: boolean;
	readonly findings: readonly Finding[];
	readonly launcher: Launcher;
	readonly removeByDaemon?: RemoveByDaemon;
}

/** Processes and cgroups first, because they hold the mounts; files last. */
const ORDER: readonly Removal['how'][] = [
	'daemon',
	'cgroup',
	'kill',
	'unmount',
	'profile',
	'finder',
	'tree',
	'none',
];

/** Takes findings away; returns a sentence for each that could not be. */
export async function repair(options: RepairOptions): Promise<readonly string[]> {
	const { findings, launcher, config, daemonRuns } = options;
	const failures: string[] = [];
	const attempt = async (what: string, work: () => Promise<unknown>): Promise<void> => {
		try {
			await work();
		} catch (error) {
			failures.push(`cannot remove ${what}: ${messageOf(error)}`);
		}
	};
	const removeAll = async (some: readonly Finding[]): Promise<void> => {
		const inOrder = some.toSorted((a, b) => ORDER.indexOf(a.removal.how) - ORDER.indexOf(b.removal.how));
		for (const finding of inOrder)
			await attempt(`${finding.kind} ${finding.name}`, () => remove(finding.removal, options));
	};
	// A launcher that outlived its daemon holds the locks that are needed for the rest.
	await removeAll(findings.filter(({ kind }) => kind === 'launcher'));
	if (!daemonRuns) await keepDaemonsOut(config, launcher);
	await removeAll(findings.filter(({ kind }) => kind !== 'launcher').map(keepInstanceCgroup));
	const scene = { config, daemonRuns, owned: await readOwned(config.state, daemonRuns) };
	const byFinder = findings.filter(({ removal }) => removal.how === 'finder');
	if (byFinder.some(({ kind }) => kind === 'image data'))
		await attempt('image data', () => removeImageData(scene, launcher));
	if (byFinder.some(({ kind }) => kind !== 'image data'))
		await attempt('what is left in the network', () => findNetwork(scene, launcher, byFinder));
	await removeAll(findings.filter(isInstanceCgroup));
	return failures;
}

const isInstanceCgroup = ({ kind, owner }: Finding): boolean => kind === 'cgroup' && owner === '';

/** The lock of the instance name is on it, and goes with it: what runs in it ends now, and it goes last. */
const keepInstanceCgroup = (finding: Finding): Finding =>
	isInstanceCgroup(finding) && finding.removal.how === 'cgroup'
		? { ...finding, removal: { ...finding.removal, keep: true } }
		: finding;

/** No daemon may start and take things over while they are being removed, with these folders or with others. */
async function keepDaemonsOut(config: Config, launcher: Launcher): Promise<void> {
	if (await exists(config.state)) await lockFolders(config, launcher, { program: 'gantry doctor --fix' });
	const [cgroup] = (await openCgroups()).members(systemCgroup(config));
	if (cgroup !== undefined && (await exists(cgroup.path))) await lockInstance(config, launcher, [cgroup]);
}

const exists = async (path: string): Promise<boolean> =>
	(await stat(path).catch(() => undefined)) !== undefined;

async function remove(removal: Removal, { launcher, removeByDaemon }: RepairOptions): Promise<void> {
	switch (removal.how) {
		case 'daemon':
			return await removeByDaemon?.(removal.object, removal.id);
		case 'kill':
			if (await checkProcess(removal.process)) kill(removal.process.pid);
			return;
		case 'cgroup':
			await launcher.teardown(removal.members.flatMap((member) => cgroupOps(member, removal.keep ?? false)));
			return;
		case 'unmount':
			await launcher.teardown([{ op: 'unmount', path: removal.path, remove: 1 }]);
			return;
		case 'profile':
			return await appArmorKernel().remove(removal.name);
		case 'tree':
			await rm(removal.path, { force: true }).catch(() => launcher.removeTree(removal.path));
			return;
		case 'finder':
		case 'none':
			return;
	}
}

function cgroupOps({ path, v2 }: CgroupMember, keep: boolean): readonly Op[] {
	const kill: Op = { op: 'cgroup_kill', path, v2: v2 ? 1 : 0, timeout_ms: KILL_TIMEOUT_MS };
	return keep ? [kill] : [kill, { op: 'cgroup_remove', path, timeout_ms: KILL_TIMEOUT_MS }];
}

function kill(pid: number): void {
	try {
		process.kill(pid, 'SIGKILL');
	} catch (error) {
		if (errnoOf(error) !== 'ESRCH') throw error;
	}
}
