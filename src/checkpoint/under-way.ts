import { perObject } from '#base/per-object.ts';
import type { Daemon } from '../server/types.ts';
import { toJson } from '../store/json.ts';

const callsOf = perObject((_daemon: Daemon) => new Map<string, Promise<void>>());

/**
 * A call in the same words as one that is under way joins it: the client of that one may have gone away, and asks again.
 * The work goes on whoever waits for it.
 */
export async function joined(daemon: Daemon, request: object, work: () => Promise<void>): Promise<void> {
	const calls = callsOf(daemon);
	const words = toJson(request);
	const running = calls.get(words);
	if (running !== undefined) return await running;
	const call = work().finally(() => calls.delete(words));
	calls.set(words, call);
	await call;
}
