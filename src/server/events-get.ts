import type { ContainerEventResponseInit } from '#cri-api';
import { containerStatusToCri } from '../container/to-cri.ts';
import type { LifecycleEvent } from '../events/event-bus.ts';
import { EventQueue } from '../events/event-queue.ts';
import { sandboxStatusToCri } from '../sandbox/to-cri.ts';
import type { Call, Daemon, StreamHandler } from './types.ts';

/** Events that a reader may lag behind before the oldest are dropped. */
const QUEUE_LIMIT = 4096;

/** GetContainerEvents: every event from now on, in order, until the client leaves. */
export const getContainerEvents: StreamHandler<'GetContainerEvents'> = async function* (
	daemon,
	_request,
	call,
) {
	const queue = new EventQueue<ContainerEventResponseInit>(QUEUE_LIMIT, (total) =>
		dropped(daemon, call, total),
	);
	const unsubscribe = daemon.events.subscribe((event) => queue.push(toCriEvent(daemon, event)));
	const end = (): void => queue.end();
	call.signal.addEventListener('abort', end, { once: true });
	if (call.signal.aborted) end();
	try {
		yield* queue;
	} finally {
		unsubscribe();
	}
};

function dropped(daemon: Daemon, call: Call, total: number): void {
	daemon.metrics.eventsDropped(1);
	// Once, then at every doubling: a reader that hangs must not fill the log.
	if ((total & (total - 1)) === 0)
		call.log.warn('A reader of events is too slow: the oldest ones are dropped', { dropped: total });
}

/** With the statuses as they are at the event, not when the reader gets to it. */
function toCriEvent({ sandboxes, containers }: Daemon, event: LifecycleEvent): ContainerEventResponseInit {
	const sandbox = sandboxes.get(event.sandboxId);
	return {
		container_id: event.containerId,
		container_event_type: event.type,
		created_at: event.atNs,
		pod_sandbox_status: sandbox === undefined ? null : sandboxStatusToCri(sandbox),
		containers_statuses: containers.ofSandbox(event.sandboxId).map(containerStatusToCri),
	};
}
