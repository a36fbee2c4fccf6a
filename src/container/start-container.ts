import { failedPrecondition, notFound, StatusError, unavailable } from '#base/errors.ts';
import { changing } from '#base/fault-points.ts';
import type { Shim } from '#runtime';
import { nowNs } from '../sandbox/clock.ts';
import type { Daemon } from '../server/types.ts';
import { finish } from './exits.ts';
import { type Container, stateOf } from './types.ts';

/** Exit code of a container whose program could not be executed. */
const START_FAILED = 128;

/** StartContainer: one message to a process that waits at its exec. A failure leaves the container EXITED. */
export async function startContainer(daemon: Daemon, id: string): Promise<void> {
	const { containers } = daemon;
	const found = containers.find(id);
	if (found === undefined) throw notFound(`No container ${id}`);
	const { id: fullId, sandboxId } = found.metadata;
	using _held = await containers.locks.acquire(fullId);
	const container = containers.get(fullId);
	if (container === undefined) throw notFound(`Container ${fullId} was removed`);
	if (containers.startsUntold.has(fullId)) {
		containers.startAnswered(fullId);
		return;
	}
	const shim = checkCanStart(daemon, container);
	const beganMs = performance.now();
	const startedAtNs = await release(daemon, container, shim);
	const elapsedMs = performance.now() - beganMs;
	daemon.metrics.stage('StartContainer', 'start', elapsedMs / 1000);
	const elapsedUs = Math.round(elapsedMs * 1000);
	const startedUs = Number((startedAtNs - container.metadata.createdAtNs) / 1000n);
	const timeline = [...container.status.timeline, { name: 'start', startedUs, elapsedUs }];
	containers.update(fullId, { startedAtNs, timeline });
	daemon.events.publish({
		type: 'CONTAINER_STARTED_EVENT',
		sandboxId,
		containerId: fullId,
		atNs: startedAtNs,
	});
	await changing('start.record', () => containers.trySave(fullId));
	containers.startAnswered(fullId);
}

async function release(daemon: Daemon, container: Container, shim: Shim): Promise<bigint> {
	try {
		const { startedAtNs, timings } = await changing('container.start', () =>
			shim.start(container.metadata.id),
		);
		daemon.metrics.planSteps(timings);
		return startedAtNs;
	} catch (error) {
		return await startFailed(daemon, container, error);
	}
}

function checkCanStart({ sandboxes }: Daemon, { metadata, status }: Container): Shim {
	const { id, sandboxId } = metadata;
	if (status.removing) throw failedPrecondition(`Cannot start container ${id}: it is being removed`);
	const state = stateOf(status);
	if (state !== 'CONTAINER_CREATED') {
		throw failedPrecondition(
			`Cannot start container ${id}: it is ${state.replace('CONTAINER_', '').toLowerCase()}, not created`,
		);
	}
	if (sandboxes.get(sandboxId)?.status.state !== 'ready') {
		throw failedPrecondition(`Cannot start container ${id}: its sandbox ${sandboxId} is not ready`);
	}
	const shim = sandboxes.shims.get(sandboxId);
	if (shim === undefined)
		throw unavailable(`Cannot start container ${id}: the shim of sandbox ${sandboxId} is gone`);
	return shim;
}

/** The exit that the shim tells of later finds the container ended already. */
async function startFailed(daemon: Daemon, container: Container, error: unknown): Promise<never> {
	const { id, config } = container.metadata;
	const message = error instanceof Error ? error.message : String(error);
	if (daemon.containers.get(id)?.status.finishedAtNs === undefined) {
		await finish(daemon, container, nowNs(), { exitCode: START_FAILED, reason: 'StartError', message });
	}
	// NOT_FOUND would say that there is no such container.
	const condition =
		error instanceof StatusError && error.condition !== 'NOT_FOUND' ? error.condition : 'FAILED_PRECONDITION';
	throw new StatusError(
		condition,
		`Cannot start container ${config.metadata?.name ?? ''} (${id}): ${message}`,
		{ cause: error },
	);
}
