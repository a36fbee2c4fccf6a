import { hasEnded, stopContainer } from '../container/stop-container.ts';
import type { Daemon } from '../server/types.ts';
import { CleanUp } from './clean-up.ts';
import { nowNs } from './clock.ts';
import { endNetwork } from './release-network.ts';
import type { Sandbox } from './types.ts';

/** Longest time for containers that are being made when their sandbox stops. */
const MAKING_TIMEOUT_MS = 60_000;

/**
 * StopPodSandbox: not ready from this moment, every container killed, the network released. Doing it again, also
 * while it runs, is fine; so is an id that nobody has.
 */
export async function stopSandbox(daemon: Daemon, id: string): Promise<void> {
	const { sandboxes, containers } = daemon;
	const sandbox = sandboxes.find(id);
	if (sandbox === undefined) return;
	const fullId = sandbox.metadata.id;
	if (sandbox.status.networkReleased && containers.ofSandbox(fullId).every(hasEnded)) return;
	const running = sandboxes.stops.get(fullId);
	if (running !== undefined) return await running;
	const stopping = stop(daemon, sandbox).finally(() => sandboxes.stops.delete(fullId));
	sandboxes.stops.set(fullId, stopping);
	await stopping;
}

async function stop(daemon: Daemon, { metadata, status }: Sandbox): Promise<void> {
	const { sandboxes, containers, events } = daemon;
	const { id } = metadata;
	const wasReady = status.state === 'ready';
	// Before the first await: a container that is being made sees it before it is published.
	if (wasReady) sandboxes.update(id, { state: 'notready', reason: 'Stopped', message: '' });
	const cleanUp = new CleanUp();
	await cleanUp.step(`stop the containers of sandbox ${id}`, MAKING_TIMEOUT_MS, async () => {
		await Promise.allSettled(containers.making.get(id) ?? []);
		await Promise.all(
			containers.ofSandbox(id).map((container) => stopContainer(daemon, container.metadata.id, 0)),
		);
	});
	if (!status.networkReleased) await endNetwork(daemon, { metadata, status }, cleanUp);
	if (wasReady)
		events.publish({ type: 'CONTAINER_STOPPED_EVENT', sandboxId: id, containerId: id, atNs: nowNs() });
	cleanUp.throwIfFailed(`Cannot stop sandbox ${id}`);
}
