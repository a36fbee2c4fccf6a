/** What a daemon has on the machine at one moment: counted from outside, and its heap by its own inspector. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { proportionalKibOf, residentKib } from '../bench/processes.ts';
import { heapAfterCollection } from './inspector.ts';

export interface Place {
	readonly daemonPid: number;
	readonly instance: string;
	/** The daemon's --state and --root. */
	readonly folders: readonly string[];
}

/** By what is counted; memory in KiB. */
export type Census = ReadonlyMap<string, number>;

/** Things that must be exactly as many as before. */
export function countThings({ daemonPid, instance, folders }: Place): Census {
	const launcher = launcherOf(instance);
	return new Map([
		['descriptors of the daemon', entries(`/proc/${daemonPid}/fd`).length],
		['descriptors of the launcher', entries(`/proc/${launcher}/fd`).length],
		['processes', entries('/proc').filter(isPid).length],
		['mounts', lines(readFileSync('/proc/self/mountinfo', 'utf8'))],
		['cgroups', cgroupsOf(instance)],
		['links', lines(run('ip', '-o', 'link'))],
		['lines of nftables', lines(run('nft', 'list', 'ruleset'))],
		['files below state and root', folders.reduce((sum, folder) => sum + filesBelow(folder), 0)],
	]);
}

/** KiB, after garbage has been collected. */
export async function measureMemory({ daemonPid, instance }: Place): Promise<Census> {
	const heap = await heapAfterCollection(daemonPid);
	return new Map([
		['heap of the daemon (KiB)', Math.round(heap / 1024)],
		['daemon, RSS (KiB)', residentKib(daemonPid)],
		['launcher, PSS (KiB)', proportionalKibOf(launcherOf(instance))],
	]);
}

const isPid = (name: string): boolean => /^\d+$/.test(name);
const lines = (text: string): number => text.split('\n').filter((line) => line !== '').length;
const run = (program: string, ...args: string[]): string => execFileSync(program, args, { encoding: 'utf8' });

function entries(folder: string): string[] {
	try {
		return readdirSync(folder);
	} catch {
		return [];
	}
}

function launcherOf(instance: string): number {
	const isLauncher = (pid: string): boolean => {
		const words = entryText(`/proc/${pid}/cmdline`).split('\0');
		return words[1] === 'launcher' && words.includes(instance);
	};
	const pid = entries('/proc').filter(isPid).find(isLauncher);
	if (pid === undefined) throw new Error(`instance ${instance} has no launcher`);
	return Number(pid);
}

function entryText(path: string): string {
	try {
		return readFileSync(path, 'utf8');
	} catch {
		return '';
	}
}

function cgroupsOf(instance: string): number {
	const root = '/sys/fs/cgroup';
	const hierarchies = [root, ...entries(root).map((name) => join(root, name))];
	return hierarchies.reduce((sum, hierarchy) => sum + foldersBelow(join(hierarchy, instance)), 0);
}

/** The folder itself counts; 0 when it is not there. */
function foldersBelow(folder: string): number {
	try {
		const below = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
		return below.reduce((sum, { name }) => sum + foldersBelow(join(folder, name)), 1);
	} catch {
		return 0;
	}
}

function filesBelow(folder: string): number {
	return readdirSync(folder, { recursive: true }).length;
}
