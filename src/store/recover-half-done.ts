import { messageOf } from '#base/errors.ts';
import { removeContainer } from '../container/remove-container.ts';
import { teardownContainer } from '../container/teardown.ts';
import { CleanUp } from '../sandbox/clean-up.ts';
import { removeSandbox } from '../sandbox/remove-sandbox.ts';
import { teardownSandbox } from '../sandbox/teardown.ts';
import type { Daemon } from '../server/types.ts';
import type { Half } from './recover-objects.ts';

/** Takes back what was never published and finishes removals. What fails is logged and tried again at the next start. */
export async function finishHalfDone(daemon: Daemon, half: Half): Promise<void> {
	const { log } = daemon;
	await Promise.all(
		half.containers.map(async (container) => {
			const cleanUp = new CleanUp();
			await teardownContainer(daemon, container, cleanUp);
			report(daemon, 'container', container.metadata.id, cleanUp);
		}),
	);
	await Promise.all(
		half.sandboxes.map(async (sandbox) =>
			report(daemon, 'sandbox', sandbox.metadata.id, await teardownSandbox(daemon, sandbox)),
		),
	);
	const failed = (id: string) => (error: unknown) =>
		log.error('a removal cannot be finished', { id, error: messageOf(error) });
	await Promise.all(half.removingContainers.map((id) => removeContainer(daemon, id).catch(failed(id))));
	await Promise.all(half.removingSandboxes.map((id) => removeSandbox(daemon, id).catch(failed(id))));
}

function report({ log }: Daemon, kind: string, id: string, { failures }: CleanUp): void {
	if (failures.length === 0) log.info(`a half-made ${kind} was taken back`, { id });
	else log.error(`a half-made ${kind} cannot be taken back`, { id, failures });
}
