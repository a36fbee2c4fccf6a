import { failedPrecondition, notFound, unavailable } from '#base/errors.ts';
import type { Daemon } from '../server/types.ts';
import { stateOf } from './types.ts';

/** ReopenContainerLog: after the kubelet has renamed the log, the next line goes to a new file of the old name. */
export async function reopenLog(
	{ containers, sandboxes }: Pick<Daemon, 'containers' | 'sandboxes'>,
	id: string,
): Promise<void> {
	const container = containers.find(id);
	if (container === undefined) throw notFound(`No container ${id}`);
	const { id: fullId, sandboxId, logPath } = container.metadata;
	const state = stateOf(container.status);
	if (state !== 'CONTAINER_RUNNING') {
		throw failedPrecondition(
			`Cannot reopen the log of container ${fullId}: it is ${state.replace('CONTAINER_', '').toLowerCase()}`,
		);
	}
	if (logPath === '')
		throw failedPrecondition(`Cannot reopen the log of container ${fullId}: it was made without a log path`);
	const shim = sandboxes.shims.get(sandboxId);
	if (shim === undefined) throw unavailable(`Cannot reopen the log of container ${fullId}: its shim is gone`);
	await shim.reopenLog(fullId, logPath);
}
