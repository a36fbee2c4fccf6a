import { setTimeout as sleep } from 'node:timers/promises';
import type { Daemon } from '../server/types.ts';
import type { CleanUp } from './clean-up.ts';

const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 5 * 60_000;
/** Some days. */
const TRIES = 1000;

type Home = { readonly sandboxes: Pick<Daemon['sandboxes'], 'closing'>; readonly log: Daemon['log'] };

/**
 * Takes back what was made and never published, so that nobody else can remove it. What fails, because there are no
 * descriptors for example, is tried again behind the caller's back; the next daemon does what this one does not.
 */
export async function takeBack(daemon: Home, what: string, teardown: () => Promise<CleanUp>): Promise<void> {
	const cleanUp = await teardown();
	if (cleanUp.failures.length > 0) void tryAgain(daemon, what, teardown);
	cleanUp.throwIfFailed(`Cannot take back ${what}`, 'it is tried again');
}

async function tryAgain(
	{ sandboxes, log }: Home,
	what: string,
	teardown: () => Promise<CleanUp>,
): Promise<void> {
	const { signal } = sandboxes.closing;
	let pauseMs = FIRST_PAUSE_MS;
	for (let tries = 0; tries < TRIES; tries++) {
		await sleep(pauseMs, undefined, { ref: false, signal }).catch(() => {});
		if (signal.aborted) return;
		const { failures } = await teardown();
		if (failures.length === 0) return log.info(`${what} was taken back at last`);
		log.warn(`${what} cannot be taken back yet`, { failures });
		pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
	}
}
