import { dataLoss, resourceExhausted } from '#base/errors.ts';
import type { ContainerEventResponseInit } from '#cri-api';
import { containerStatusToCri } from '../container/to-cri.ts';
import type { Container } from '../container/types.ts';
import type { LifecycleEvent } from '../events/event-bus.ts';
import { EventLog } from '../events/event-log.ts';
import { sandboxStatusToCri } from '../sandbox/to-cri.ts';
import type { Sandbox } from '../sandbox/types.ts';
import type { Daemon, StreamHandler } from './types.ts';

/** Events that a reader may lag behind. */
const LAG_LIMIT = 4096;
/** A kubelet has one; without a limit a broken client could take all memory. */
const READERS_LIMIT = 512;

/** An event, and what it is about as it was then: statuses are replaced, never changed. */
interface Moment {
	readonly event: LifecycleEvent;
	readonly sandbox: Sandbox | undefined;
	readonly containers: readonly Container[];
}

/**
 * GetContainerEvents: every event from now on, in order, until the client leaves. A client that is too slow is told by
 * DATA_LOSS, which ends the stream: with a gap it would believe what is no longer so. A kubelet then lists everything
 * anew and connects again (Evented PLEG).
 */
export const getContainerEvents: StreamHandler<'GetContainerEvents'> = async function* (
	daemon,
	_request,
	call,
) {
	const log = logOf(daemon);
	if (log.readers >= READERS_LIMIT)
		throw resourceExhausted(`${log.readers} clients read events already; end some of those streams`);
	using _counted = daemon.metrics.streamOpened('events');
	const behind = (count: number): Error => {
		daemon.metrics.eventsDropped(count);
		return dataLoss(
			`${count} events were dropped: they were not read in time; list what there is, then read events anew`,
		);
	};
	for await (const moment of log.read(call.signal, behind)) yield toCriEvent(moment);
};

const logs = new WeakMap<Daemon, EventLog<Moment>>();

function logOf(daemon: Daemon): EventLog<Moment> {
	const known = logs.get(daemon);
	if (known !== undefined) return known;
	const log = new EventLog<Moment>(LAG_LIMIT);
	const { events, sandboxes, containers } = daemon;
	events.subscribe((event) => {
		const { sandboxId } = event;
		log.push({ event, sandbox: sandboxes.get(sandboxId), containers: containers.ofSandbox(sandboxId) });
	});
	logs.set(daemon, log);
	return log;
}

function toCriEvent({ event, sandbox, containers }: Moment): ContainerEventResponseInit {
	return {
		container_id: event.containerId,
		container_event_type: event.type,
		created_at: event.atNs,
		pod_sandbox_status: sandbox === undefined ? null : sandboxStatusToCri(sandbox),
		containers_statuses: containers.map(containerStatusToCri),
	};
}
