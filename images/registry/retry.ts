import { setTimeout as sleep } from 'node:timers/promises';
import { SourceFailure } from './failure.ts';

/** How often a source is asked again after a failure that may pass. */
export const MAX_ATTEMPTS = 4;
const LONGEST_WAIT_MS = 20_000;

/** Waits before attempt number `failures` + 1: twice as long each time, spread, or as the registry asks. */
export async function backOff(
	failures: number,
	failure: SourceFailure,
	signal: AbortSignal,
	baseMs: number,
): Promise<void> {
	const own = baseMs * 2 ** (failures - 1) * (0.75 + Math.random() / 2);
	const wait = Math.min(Math.max(own, failure.retryAfterMs ?? 0), LONGEST_WAIT_MS);
	await sleep(wait, undefined, { signal }).catch(() => signal.throwIfAborted());
}

/** Runs `attempt` until it succeeds, fails for good, or has failed MAX_ATTEMPTS times. */
export async function retrying<T>(
	signal: AbortSignal,
	baseMs: number,
	attempt: () => Promise<T>,
): Promise<T> {
	for (let failures = 1; ; failures++) {
		try {
			return await attempt();
		} catch (error) {
			signal.throwIfAborted();
			if (!(error instanceof SourceFailure) || !error.again || failures >= MAX_ATTEMPTS) throw error;
			await backOff(failures, error, signal, baseMs);
		}
	}
}
