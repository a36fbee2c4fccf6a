import { messageOf, StatusError } from '#base/errors.ts';
import { changing } from '#base/fault-points.ts';
import { removeContainer } from '../container/remove-container.ts';
import { hasEnded } from '../container/stop-container.ts';
import type { Daemon } from '../server/types.ts';
import { nowNs } from './clock.ts';
import { sandboxName } from './metadata.ts';
import { stopSandbox } from './stop-sandbox.ts';
import { teardownSandbox } from './teardown.ts';
import type { Sandbox } from './types.ts';

/** RemovePodSandbox: stops it if need be, and takes back everything. Doing it again and unknown ids are fine. */
export async function removeSandbox(daemon: Daemon, id: string): Promise<void> {
	const { sandboxes } = daemon;
	const sandbox = sandboxes.find(id);
	if (sandbox === undefined) return;
	const fullId = sandbox.metadata.id;
	const running = sandboxes.removals.get(fullId);
	if (running !== undefined) return await running;
	const { promise, resolve, reject } = Promise.withResolvers<void>();
	sandboxes.removals.set(fullId, promise);
	remove(daemon, sandbox)
		.finally(() => sandboxes.removals.delete(fullId))
		.then(resolve, reject);
	await promise;
}

const isLate = (error: unknown): boolean =>
	error instanceof StatusError && error.condition === 'DEADLINE_EXCEEDED';

async function remove(daemon: Daemon, { metadata }: Sandbox): Promise<void> {
	const { sandboxes, containers, events, log } = daemon;
	const { id, config } = metadata;
	const tolerate = (what: string) => (error: unknown) =>
		log.warn(`${what} failed while a sandbox is removed`, { sandbox: id, error: messageOf(error) });
	// No failed clean-up keeps a name, so it goes first; and before the first await.
	if (config.metadata !== null) sandboxes.names.release(sandboxName(config.metadata), id);
	// What these cannot do the teardown tries again, with the launcher where the shim fails.
	await stopSandbox(daemon, id).catch((error: unknown) => {
		// What does not die cannot be removed, and another wait for it would be one too many.
		if (isLate(error) && !containers.ofSandbox(id).every(hasEnded)) throw error;
		tolerate('stopping it')(error);
	});
	await changing('remove.record', () => sandboxes.trySave(id));
	const inside = containers.ofSandbox(id);
	await Promise.all(
		inside.map((container) => removeContainer(daemon, container.metadata.id).catch(tolerate('a container'))),
	);
	const now = sandboxes.get(id);
	if (now === undefined) return;
	const cleanUp = await teardownSandbox(daemon, now);
	cleanUp.throwIfFailed(`Cannot remove sandbox ${id}`);
	sandboxes.delete(id);
	events.publish({ type: 'CONTAINER_DELETED_EVENT', sandboxId: id, containerId: id, atNs: nowNs() });
}
