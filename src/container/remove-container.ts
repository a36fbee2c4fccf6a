import { messageOf, StatusError } from '#base/errors.ts';
import { changing } from '#base/fault-points.ts';
import { nowNs } from '../sandbox/clock.ts';
import type { Daemon } from '../server/types.ts';
import { discardLayer } from './discard-layer.ts';
import { containerName } from './metadata.ts';
import { stopContainer } from './stop-container.ts';
import { teardownContainer } from './teardown.ts';
import type { Container } from './types.ts';

/** RemoveContainer: kills it if it runs, and takes back everything. Doing it again and unknown ids are fine. */
export async function removeContainer(daemon: Daemon, id: string): Promise<void> {
	const { containers } = daemon;
	const container = containers.find(id);
	if (container === undefined) return;
	const fullId = container.metadata.id;
	const running = containers.removals.get(fullId);
	if (running !== undefined) return await running;
	const removing = remove(daemon, container).finally(() => containers.removals.delete(fullId));
	containers.removals.set(fullId, removing);
	await removing;
}

async function remove(daemon: Daemon, { metadata }: Container): Promise<void> {
	const { containers, events, log } = daemon;
	const { id, sandboxId, config } = metadata;
	containers.update(id, { removing: true });
	if (config.metadata !== null) containers.names.release(containerName(sandboxId, config.metadata), id);
	await changing('remove.record', () => containers.trySave(id));
	// What cannot be stopped here the teardown tries again, with the launcher where the shim fails.
	await stopContainer(daemon, id, 0).catch((error: unknown) => {
		// What does not die cannot be removed, and another wait for it would be one too many.
		if (error instanceof StatusError && error.condition === 'DEADLINE_EXCEEDED') throw error;
		log.warn('stopping a container failed', { container: id, error: messageOf(error) });
	});
	// Behind a start or an update that is under way.
	using _held = await containers.locks.acquire(id);
	const now = containers.get(id);
	if (now === undefined) return;
	const cleanUp = await teardownContainer(daemon, now, { removeLayer: discardLayer });
	cleanUp.throwIfFailed(`Cannot remove container ${id}`);
	events.publish({ type: 'CONTAINER_DELETED_EVENT', sandboxId, containerId: id, atNs: nowNs() });
}
