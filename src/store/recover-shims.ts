import { setTimeout as sleep } from 'node:timers/promises';
import { type Condition, messageOf, StatusError } from '#base/errors.ts';
import type { Shim, ShimContainer } from '#runtime';
import { containerLost } from '../container/exits.ts';
import { within } from '../sandbox/clean-up.ts';
import { shimLost, watchShim } from '../sandbox/shim-events.ts';
import type { Sandbox } from '../sandbox/types.ts';
import type { Daemon } from '../server/types.ts';

/** A shim answers at once. When for so long none has, the others are waited for beside what else there is to do. */
const SILENCE_MS = 300;
const ROOM_PAUSE_MS = 1_000;
/** Longest wait for the shim of a sandbox that is to be taken back. */
const CONNECT_TIMEOUT_MS = 10_000;

/** Connects to the shim of every sandbox, all at once. A sandbox whose shim is gone is not ready any more. */
export async function reconnectAll(daemon: Daemon, sandboxes: readonly Sandbox[]): Promise<void> {
	const silent = new Set(sandboxes.map(({ metadata }) => metadata.id));
	const { promise: patienceEnds, resolve: endPatience } = Promise.withResolvers<void>();
	const silence = setTimeout(endPatience, SILENCE_MS);
	const all = Promise.all(
		sandboxes.map(async (sandbox) => {
			await reconnect(daemon, sandbox);
			silent.delete(sandbox.metadata.id);
			silence.refresh();
		}),
	);
	await Promise.race([all, patienceEnds]);
	clearTimeout(silence);
	if (silent.size > 0) daemon.log.warn('shims do not answer yet', { sandboxes: [...silent] });
}

async function reconnect(daemon: Daemon, sandbox: Sandbox): Promise<void> {
	const { id } = sandbox.metadata;
	try {
		const shim = await connectOnceThereIsRoom(daemon, sandbox);
		// Removed while its shim was waited for.
		if (shim === undefined || daemon.sandboxes.get(id) === undefined) return shim?.disconnect();
		await adopt(daemon, id, await watchShim(daemon, id, shim));
	} catch (error) {
		if (hasCondition(error, 'FAILED_PRECONDITION')) return notUnderstood(daemon, id, messageOf(error));
		daemon.log.warn('a sandbox has no shim', { sandbox: id, error: messageOf(error) });
		await shimLost(daemon, id, daemon.sandboxes.shims.get(id));
	}
}

/** A shim that has no descriptors left, or for which we have none, lives: it is asked again. undefined: not any more. */
async function connectOnceThereIsRoom(daemon: Daemon, sandbox: Sandbox): Promise<Shim | undefined> {
	const { sandboxes, log } = daemon;
	const { id } = sandbox.metadata;
	while (!sandboxes.closing.signal.aborted && sandboxes.get(id) !== undefined) {
		try {
			return await connectTo(daemon, sandbox);
		} catch (error) {
			if (!hasCondition(error, 'RESOURCE_EXHAUSTED')) throw error;
			log.warn('the shim of a sandbox is asked again', { sandbox: id, error: messageOf(error) });
			await sleep(ROOM_PAUSE_MS, undefined, { ref: false });
		}
	}
	return undefined;
}

const hasCondition = (error: unknown, condition: Condition): boolean =>
	error instanceof StatusError && error.condition === condition;

/** Its shim speaks no version of ours: what runs goes on, and can only be removed. Not noted: the right daemon may come. */
function notUnderstood({ sandboxes, containers, log }: Daemon, id: string, message: string): void {
	log.error('a sandbox is UNKNOWN and can only be removed', { sandbox: id, why: message });
	const why = { reason: 'ShimNotUnderstood', message };
	sandboxes.update(id, { state: 'unknown', ...why });
	for (const { metadata, status } of containers.ofSandbox(id))
		if (status.finishedAtNs === undefined) containers.update(metadata.id, { unknown: true, ...why });
}

/** Connects to the shims of sandboxes that were never published, so that they can be taken back. */
export async function reconnectHalfMade(daemon: Daemon, sandboxes: readonly Sandbox[]): Promise<void> {
	await Promise.all(
		sandboxes.map(async (sandbox) => {
			const { id } = sandbox.metadata;
			try {
				await within(`connect to the shim of sandbox ${id}`, CONNECT_TIMEOUT_MS, async () => {
					await watchShim(daemon, id, await connectTo(daemon, sandbox));
				});
			} catch (error) {
				daemon.log.debug('a half-made sandbox has no shim', { sandbox: id, error: messageOf(error) });
			}
		}),
	);
}

/** The shim of the record and no other: a pid and a socket path may belong to somebody else by now. */
async function connectTo({ sandboxes }: Daemon, { metadata, status }: Sandbox): Promise<Shim> {
	const shim = await sandboxes.shims.connect(sandboxes.shims.socketPath(metadata.id));
	const same =
		status.shim === undefined ||
		(status.shim.pid === shim.process.pid && status.shim.startTime === shim.process.startTime);
	if (same && shim.sandboxId === metadata.id) return shim;
	shim.disconnect();
	throw new Error(`process ${shim.process.pid} of sandbox ${shim.sandboxId} answers at its socket`);
}

/** Compares what the shim has with what the records say. */
async function adopt(daemon: Daemon, sandboxId: string, found: readonly ShimContainer[]): Promise<void> {
	const { sandboxes, containers } = daemon;
	const byId = new Map(found.map((container) => [container.id, container]));
	for (const id of byId.keys()) giveBack(daemon, id, sandboxId);
	const pause = byId.get(sandboxId);
	if (sandboxes.get(sandboxId)?.status.state === 'ready' && pause?.phase !== 'running') {
		sandboxes.update(sandboxId, {
			state: 'notready',
			reason: 'SandboxProcessEnded',
			message: 'its process was gone when the daemon started',
		});
		sandboxes.trySave(sandboxId);
	}
	for (const { metadata, status } of containers.ofSandbox(sandboxId)) {
		const now = byId.get(metadata.id);
		if (now === undefined) await containerLost(daemon, metadata.id);
		if (now?.startedAtNs === undefined) continue;
		// Whoever asked for the start may not have heard of it, and asks again.
		if (status.finishedAtNs === undefined || status.startUntold === true)
			containers.startsUntold.add(metadata.id);
		// The daemon may have ended before it could note it, too.
		if (status.startedAtNs === undefined) {
			containers.update(metadata.id, { startedAtNs: now.startedAtNs });
			containers.trySave(metadata.id);
		}
	}
}

/** A container whose record and spec are lost does not know its sandbox; the shim that has it does. */
function giveBack({ containers }: Daemon, id: string, sandboxId: string): void {
	const container = containers.get(id);
	if (container?.metadata.sandboxId === '')
		containers.add({ ...container, metadata: { ...container.metadata, sandboxId } });
}
