import { constants } from 'node:os';
import { deadlineExceeded, unavailable } from '#base/errors.ts';
import { changing } from '#base/fault-points.ts';
import { within } from '../sandbox/clean-up.ts';
import { unlessHung } from '../sandbox/hung-shim.ts';
import type { Daemon } from '../server/types.ts';
import { containerLost } from './exits.ts';
import { signalNumber } from './stop-signal.ts';
import { type Container, stateOf } from './types.ts';

/** How long killed processes may take to be gone: they may wait for a disk or a network file system. */
const KILL_TIMEOUT_MS = 20_000;

/**
 * StopContainer: the stop signal, the grace period, then SIGKILL to everything in the container. A container that
 * never started is killed at once. One that has ended and unknown ids are fine. No lock is held while it waits; a
 * second call can only shorten the first one's grace.
 */
export async function stopContainer(daemon: Daemon, id: string, graceMs: number): Promise<void> {
	const { containers, sandboxes } = daemon;
	const container = containers.find(id);
	if (container === undefined || hasEnded(container)) return;
	const { id: fullId, sandboxId } = container.metadata;
	if (sandboxes.shims.get(sandboxId) === undefined) return await containerLost(daemon, fullId);
	const ended = containers.exited(fullId);
	if (stateOf(container.status) === 'CONTAINER_RUNNING' && graceMs > 0) {
		if (!containers.stops.has(fullId)) await sendStopSignal(daemon, container);
		await containers.stops.wait(fullId, performance.now() + graceMs, ended);
	} else {
		// A stop with a grace period may be waiting: its time is over.
		containers.stops.expire(fullId);
	}
	const now = containers.get(fullId);
	if (now !== undefined && !hasEnded(now)) await killAndWait(daemon, now, ended);
}

/** Whether nothing of it runs any more, as far as anybody knows. */
export const hasEnded = ({ status }: Container): boolean =>
	status.finishedAtNs !== undefined || status.unknown;

async function sendStopSignal(daemon: Daemon, { metadata }: Container): Promise<void> {
	const { id, sandboxId, stopSignal } = metadata;
	const shim = daemon.sandboxes.shims.get(sandboxId);
	if (shim === undefined) return;
	await unlessHung(daemon, sandboxId, shim, () =>
		changing('stop.signal', () => shim.kill(id, signalNumber(stopSignal))),
	);
}

async function killAndWait(daemon: Daemon, { metadata }: Container, ended: Promise<void>): Promise<void> {
	const { id, sandboxId, config } = metadata;
	const shim = daemon.sandboxes.shims.get(sandboxId);
	if (shim === undefined) throw unavailable(`Cannot stop container ${id}: its shim is gone; try again`);
	await unlessHung(daemon, sandboxId, shim, () =>
		changing('stop.kill', () => shim.kill(id, constants.signals.SIGKILL, { all: true })),
	);
	try {
		await within(`stop container ${id}`, KILL_TIMEOUT_MS, () => ended);
	} catch (error) {
		throw deadlineExceeded(
			`Container ${config.metadata?.name ?? ''} (${id}) still runs ${KILL_TIMEOUT_MS / 1000} s after SIGKILL: ` +
				'a process of it waits in the kernel, perhaps for a disk or a network file system; try again',
			{ cause: error },
		);
	}
}
