import { readFile } from 'node:fs/promises';
import { identify, type NativeProcess, readNativeProcess } from '#runtime';
import type { Finding } from './finding.ts';
import { namesIn, type Scene } from './scene.ts';

/** Shims without a record, and launchers that outlived their daemon. `ownLauncher`: that of this very command. */
export async function findProcesses(scene: Scene, ownLauncher: number): Promise<readonly Finding[]> {
	const findings: Finding[] = [];
	for (const process of await nativeProcesses()) {
		if (process.instance !== scene.config.instance || process.pid === ownLauncher) continue;
		const why = whyLost(scene, process);
		const identity = await identify(process.pid);
		if (why === undefined || identity === undefined) continue;
		findings.push({
			kind: process.command,
			name: `process ${process.pid}`,
			why,
			owner: process.sandboxId,
			sinceMs: await startedAt(identity.startTime),
			remedy: `kill -9 ${process.pid}`,
			removal: { how: 'kill', process: identity },
		});
	}
	return findings;
}

function whyLost({ owned, daemonRuns }: Scene, process: NativeProcess): string | undefined {
	if (process.command === 'launcher') return daemonRuns ? undefined : 'its daemon does not run any more';
	return owned.sandboxes.has(process.sandboxId) ? undefined : 'no record knows its sandbox';
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
