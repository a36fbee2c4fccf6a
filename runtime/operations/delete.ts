import { constants } from 'node:os';
import { setTimeout } from 'node:timers/promises';
import { messageOf } from '#base/errors.ts';
import { readTeardown } from '../bundle.ts';
import { encodePlan, type Message, type Op } from '../shim/codec.ts';
import { explain, ProtocolError } from '../shim/errors.ts';
import type { DeleteOptions } from '../types.ts';
import type { ShimContext } from './context.ts';

/** A delete that is under way ends within its own deadlines. */
const BUSY_TIMEOUT_MS = 30_000;
const BUSY_PAUSE_MS = 20;

/**
 * OCI delete, with force: what still runs is killed. A container that the shim does not know is torn down all the
 * same when its bundle is there; without a bundle there is nothing left to delete. Returns what poststop hooks
 * failed with.
 */
export async function deleteContainer(
	shim: ShimContext,
	id: string,
	{ signal, teardown: known }: DeleteOptions = {},
): Promise<{ hookError: string }> {
	shim.made.get(id)?.file.drop();
	const bundle = shim.bundleOf(id);
	const teardown = known ?? (bundle === undefined ? undefined : await readPlan(shim, id, bundle));
	if (teardown === undefined) shim.log.debug('delete without a teardown plan', { id });
	const hookError = await discard(shim, id, teardown ?? [], signal);
	shim.made.delete(id);
	return { hookError };
}

/** A plan that cannot be understood is as none: the process at least is killed and forgotten. */
async function readPlan(
	{ log }: ShimContext,
	id: string,
	bundle: string,
): Promise<readonly Op[] | undefined> {
	try {
		return await readTeardown(bundle, id);
	} catch (error) {
		log.warn('delete without the teardown plan', { bundle, error: messageOf(error) });
		return undefined;
	}
}

/** Lets the shim carry out the teardown plan, or the launcher when the shim is gone or knows no such container. */
export async function discard(
	shim: ShimContext,
	id: string,
	teardown: readonly Op[],
	signal?: AbortSignal,
): Promise<string> {
	const { connection, launcher } = shim;
	try {
		const deleted = await requestDelete(connection, { id, plan: encodePlan(teardown) }, signal);
		return deleted.hook_error;
	} catch (error) {
		if (signal?.aborted) throw error;
		if (error instanceof ProtocolError && !isUnknown(error))
			throw explain(`delete container ${id}`, error, teardown);
		return teardown.length === 0 ? '' : await launcher.teardown(teardown);
	}
}

/** What an earlier daemon asked for may still be under way: a making is ended, a delete waited for. */
async function requestDelete(
	connection: ShimContext['connection'],
	request: Message<'DELETE'>,
	signal: AbortSignal | undefined,
): Promise<Message<'DELETED'>> {
	const giveUpMs = performance.now() + BUSY_TIMEOUT_MS;
	for (;;) {
		try {
			return await connection.request('DELETE', request, 'DELETED', signal);
		} catch (error) {
			const isBusy = error instanceof ProtocolError && error.errno === 'EBUSY' && error.step === undefined;
			if (!isBusy || performance.now() > giveUpMs) throw error;
		}
		const kill = { id: request.id, signal: constants.signals.SIGKILL, all: 0 };
		await connection.request('KILL', kill, 'OK', signal).catch(() => {});
		await setTimeout(BUSY_PAUSE_MS, undefined, { ...(signal && { signal }) });
	}
}

const isUnknown = (error: ProtocolError): boolean => error.errno === 'ENOENT' && error.step === undefined;
