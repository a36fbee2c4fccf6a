import { readFile } from 'node:fs/promises';
import { identify, type NativeProcess, readNativeProcess } from '#runtime';
import type { Finding } from './finding.ts';
import { namesIn, type Scene } from './scene.ts';

/** Shims without a record, and launchers that outlived their daemon. `ownLauncher`: that of this very command. */
export async function findProcesses(scene: Scene, ownLauncher: number): Promise<readonly Finding[]> {
	const findings: Finding[] = [];
	for (const process of await processesOf(scene.config.instance)) {
		if (process.pid === ownLauncher) continue;
		const lost = await whyLost(scene, process);
		const identity = await identify(process.pid);
		if (lost === undefined || identity === undefined) continue;
		findings.push({
			kind: process.command,
			name: `process ${process.pid}`,
			owner: process.sandboxId,
			sinceMs: await startedAt(identity.startTime),
			remedy: `kill -9 ${process.pid}`,
			removal: { how: 'kill', process: identity },
			...lost,
		});
	}
	return findings;
}

async function whyLost(
	{ owned }: Scene,
	process: NativeProcess,
): Promise<Pick<Finding, 'why' | 'fix'> | undefined> {
	if (process.command === 'launcher')
		return (await isOrphan(process.pid))
			? {
					why: 'the daemon that started it is gone; it holds the locks of the folders, so that no other can start',
					fix: 'kills it; pods and shims run on',
				}
			: undefined;
	return owned.sandboxes.has(process.sandboxId)
		? undefined
		: {
				why: 'no record knows its sandbox, so that no daemon will ever end it',
				fix: 'kills it, and what runs in the cgroups of its sandbox (told below)',
			};
}

async function isOrphan(pid: number): Promise<boolean> {
	const parent = await parentOf(pid);
	if (parent === undefined || parent === process.pid) return false;
	return !(await isProgram(parent, /(^|\/)gantryd?(\.ts|\.mjs)?$/));
}

/** A launcher is a child of the program that it works for; when that ends, the kernel gives it another parent. */
async function parentOf(pid: number): Promise<number | undefined> {
	const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
	const parent = /^PPid:\t(\d+)$/m.exec(status)?.[1];
	return parent === undefined ? undefined : Number(parent);
}

async function isProgram(pid: number, name: RegExp): Promise<boolean> {
	const words = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
	return words.some((word) => name.test(word));
}

/** A launcher whose daemon runs. */
export interface LivingLauncher {
	readonly pid: number;
	readonly instance: string;
	/** Process id of the daemon. */
	readonly daemon: number;
}

/** Of every instance on this machine. */
export async function livingLaunchers(): Promise<readonly LivingLauncher[]> {
	const launchers = (await nativeProcesses()).filter(({ command }) => command === 'launcher');
	const found = await Promise.all(
		launchers.map(async ({ pid, instance }) => {
			const daemon = await parentOf(pid);
			const lives = daemon !== undefined && (await isProgram(daemon, /(^|\/)gantryd(\.ts|\.mjs)?$/));
			return lives ? [{ pid, instance, daemon }] : [];
		}),
	);
	return found.flat();
}

/** The sandboxes that a shim of the instance lives for. */
export async function sandboxesWithShim(instance: string): Promise<ReadonlySet<string>> {
	const shims = (await processesOf(instance)).filter(({ command }) => command === 'shim');
	return new Set(shims.map(({ sandboxId }) => sandboxId));
}

async function processesOf(instance: string): Promise<readonly NativeProcess[]> {
	return (await nativeProcesses()).filter((process) => process.instance === instance);
}

async function nativeProcesses(): Promise<readonly NativeProcess[]> {
	const pids = (await namesIn('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
	const found = await Promise.all(pids.map(readNativeProcess));
	return found.filter((process) => process !== undefined);
}

const TICKS_PER_SECOND = 100n;

/** Clock ticks after boot as milliseconds since 1970. */
async function startedAt(startTime: bigint): Promise<number | undefined> {
	const boot = /^btime (\d+)$/m.exec(await readFile('/proc/stat', 'utf8'))?.[1];
	return boot === undefined
		? undefined
		: Number(boot) * 1000 + Number((startTime * 1000n) / TICKS_PER_SECOND);
}
