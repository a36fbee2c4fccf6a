import { readFile } from 'node:fs/promises';
import { errnoOf } from '#base/errors.ts';
import type { ProcessIdentity } from './types.ts';

/** Field 22 of a /proc/PID/stat line: clock ticks after boot. The name in field 2 may hold spaces and brackets. */
export function startTimeOf(stat: string): bigint | undefined {
	const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
	const [state, startTime] = [fields[0], fields[19]];
	// A zombie has ended; its parent has only not been told.
	if (state === 'Z' || state === 'X' || !/^\d+$/.test(startTime ?? '')) return undefined;
	return BigInt(startTime ?? 0);
}

/** Who has this pid now; undefined when nobody does. */
export async function identify(pid: number): Promise<ProcessIdentity | undefined> {
	try {
		const startTime = startTimeOf(await readFile(`/proc/${pid}/stat`, 'utf8'));
		return startTime === undefined ? undefined : { pid, startTime };
	} catch (error) {
		if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ESRCH') return undefined;
		throw error;
	}
}

/** Whether exactly this process lives: a pid alone is given to others after it is gone. */
export async function checkProcess(identity: ProcessIdentity): Promise<boolean> {
	return (await identify(identity.pid))?.startTime === identity.startTime;
}
