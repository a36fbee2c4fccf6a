import { messageOf } from '#base/errors.ts';
import { removeContainer } from '../container/remove-container.ts';
import { teardownContainer } from '../container/teardown.ts';
import type { CleanUp } from '../sandbox/clean-up.ts';
import { removeSandbox } from '../sandbox/remove-sandbox.ts';
import { takeBack } from '../sandbox/take-back.ts';
import { teardownSandbox } from '../sandbox/teardown.ts';
import type { Daemon } from '../server/types.ts';
import type { Half } from './recover-objects.ts';

/**
 * Takes back what was never published and finishes removals. What fails is logged; taking back is tried again, a
 * removal by its client or at the next start.
 */
export async function finishHalfDone(daemon: Daemon, half: Half): Promise<void> {
	const { log } = daemon;
	await Promise.all(
		half.containers.map((container) =>
			takeBackHalf(daemon, `container ${container.metadata.id}`, () => teardownContainer(daemon, container)),
		),
	);
	await Promise.all(
		half.sandboxes.map(async (sandbox) => {
			const { id } = sandbox.metadata;
			await takeBackHalf(daemon, `sandbox ${id}`, () => teardownSandbox(daemon, sandbox));
			settle(daemon, id);
		}),
	);
	const failed = (id: string) => (error: unknown) =>
		log.error('a removal cannot be finished', { id, error: messageOf(error) });
	await Promise.all(half.removingContainers.map((id) => removeContainer(daemon, id).catch(failed(id))));
	await Promise.all(
		half.removingSandboxes.map(async (id) => {
			await removeSandbox(daemon, id).catch(failed(id));
			settle(daemon, id);
		}),
	);
}

function settle({ sandboxes }: Daemon, id: string): void {
	sandboxes.halfDone.get(id)?.resolve();
	sandboxes.halfDone.delete(id);
}

async function takeBackHalf(daemon: Daemon, what: string, teardown: () => Promise<CleanUp>): Promise<void> {
	try {
		await takeBack(daemon, what, teardown);
		daemon.log.info(`half-made ${what} was taken back`);
	} catch (error) {
		daemon.log.error(`half-made ${what} cannot be taken back`, { error: messageOf(error) });
	}
}
