import { resourceExhausted } from '#base/errors.ts';
import type { ContainerEventResponseInit } from '#cri-api';
import { containerStatusToCri } from '../container/to-cri.ts';
import type { Container } from '../container/types.ts';
import type { LifecycleEvent } from '../events/event-bus.ts';
import { EventLog } from '../events/event-log.ts';
import { sandboxStatusToCri } from '../sandbox/to-cri.ts';
import type { Sandbox } from '../sandbox/types.ts';
import type { Call, Daemon, StreamHandler } from './types.ts';

/** Events that a reader may lag behind before it misses the oldest. */
const LAG_LIMIT = 4096;
/** A kubelet has one; without a limit a broken client could take all memory. */
const READERS_LIMIT = 512;

/** An event, and what it is about as it was then: statuses are replaced, never changed. */
interface Moment {
	readonly event: LifecycleEvent;
	readonly sandbox: Sandbox | undefined;
	readonly containers: readonly Container[];
}

/** GetContainerEvents: every event from now on, in order, until the client leaves. */
export const getContainerEvents: StreamHandler<'GetContainerEvents'> = async function* (
	daemon,
	_request,
	call,
) {
	const log = logOf(daemon);
	if (log.readers >= READERS_LIMIT)
		throw resourceExhausted(`${log.readers} clients read events already; end some of those streams`);
	using _counted = daemon.metrics.streamOpened('events');
	let total = 0;
	const onMissed = (count: number): void => {
		dropped(daemon, call, total, count);
		total += count;
	};
	for await (const moment of log.read(call.signal, onMissed)) yield toCriEvent(moment);
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

function dropped(daemon: Daemon, call: Call, before: number, count: number): void {
	daemon.metrics.eventsDropped(count);
	// Once, then at every doubling: a reader that hangs must not fill the log.
	if (before === 0 || Math.floor(Math.log2(before + count)) > Math.floor(Math.log2(before)))
		call.log.warn('A reader of events is too slow: the oldest ones are dropped', { dropped: before + count });
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
