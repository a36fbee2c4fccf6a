import { messageOf } from '#base/errors.ts';
import { readTeardown } from '../bundle.ts';
import { encodePlan, type Op } from '../shim/codec.ts';
import { explain, ProtocolError } from '../shim/errors.ts';
import type { CallOptions } from '../types.ts';
import type { ShimContext } from './context.ts';

/**
 * OCI delete, with force: what still runs is killed. A container that the shim does not know is torn down all the
 * same when its bundle is there; without a bundle there is nothing left to delete. Returns what poststop hooks
 * failed with.
 */
export async function deleteContainer(
	shim: ShimContext,
	id: string,
	{ signal }: CallOptions = {},
): Promise<{ hookError: string }> {
	await shim.made.get(id)?.written;
	const bundle = shim.bundleOf(id);
	const teardown = bundle === undefined ? undefined : await readPlan(shim, id, bundle);
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
		const deleted = await connection.request('DELETE', { id, plan: encodePlan(teardown) }, 'DELETED', signal);
		return deleted.hook_error;
	} catch (error) {
		if (signal?.aborted) throw error;
		if (error instanceof ProtocolError && !isUnknown(error))
			throw explain(`delete container ${id}`, error, teardown);
		return teardown.length === 0 ? '' : await launcher.teardown(teardown);
	}
}

const isUnknown = (error: ProtocolError): boolean => error.errno === 'ENOENT' && error.step === undefined;
