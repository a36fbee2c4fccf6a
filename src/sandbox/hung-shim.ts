import { messageOf } from '#base/errors.ts';
import type { Shim } from '#runtime';
import type { Daemon } from '../server/types.ts';
import { within } from './clean-up.ts';
import { killShim } from './end-shim.ts';
import { shimLost } from './shim-events.ts';

/** A shim that has not done something for this long is asked for what it can answer at once, and must do so. */
const SUSPECT_MS = 5_000;
const ANSWER_MS = 5_000;

/**
 * A request to a shim that is to end something. A shim that hangs (stopped, or in an uninterruptible wait) must not
 * keep its pod for ever: it is killed and given up as if it had died, and the request fails.
 */
export async function unlessHung<T>(
	daemon: Daemon,
	sandboxId: string,
	shim: Shim,
	request: () => Promise<T>,
): Promise<T> {
	const timer = setInterval(() => void giveUpIfHung(daemon, sandboxId, shim), SUSPECT_MS);
	try {
		return await request();
	} finally {
		clearInterval(timer);
	}
}

async function giveUpIfHung(daemon: Daemon, sandboxId: string, shim: Shim): Promise<void> {
	const { sandboxes, log } = daemon;
	try {
		await within('ask the shim', ANSWER_MS, () => shim.list());
	} catch (error) {
		if (sandboxes.shims.get(sandboxId) !== shim) return;
		log.error('the shim of a sandbox hangs and is killed', { sandbox: sandboxId, error: messageOf(error) });
		sandboxes.shims.delete(sandboxId, shim);
		await killShim(shim.process);
		shim.disconnect();
		await shimLost(daemon, sandboxId, undefined, 'hung');
	}
}
