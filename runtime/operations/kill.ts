import { explain, ProtocolError } from '../shim/errors.ts';
import type { CallOptions } from '../types.ts';
import type { ShimContext } from './context.ts';
import { canKill, explainRefusal, listContainers } from './state.ts';

/** OCI kill: a signal to the container's process, or to every process of it. A stopped container is fine. */
export async function killContainer(
	shim: ShimContext,
	id: string,
	signalNumber: number,
	{ all = false, signal }: { readonly all?: boolean } & CallOptions = {},
): Promise<void> {
	try {
		await shim.connection.request('KILL', { id, signal: signalNumber, all: all ? 1 : 0 }, 'OK', signal);
	} catch (error) {
		if (error instanceof ProtocolError && (await isStopped(shim, id))) return;
		throw (await explainRefusal(shim, id, 'kill', error, canKill)) ?? explain(`kill container ${id}`, error);
	}
}

async function isStopped(shim: ShimContext, id: string): Promise<boolean> {
	return (await listContainers(shim)).some(
		(container) => container.id === id && container.phase === 'stopped',
	);
}
