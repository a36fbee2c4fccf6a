import { setTimeout as sleep } from 'node:timers/promises';
import { aborted, failedPrecondition, unavailable } from '#base/errors.ts';
import type { Container } from '../container/types.ts';
import { stateName } from '../container/types.ts';
import { podNamespaces } from '../sandbox/namespaces.ts';
import type { Daemon } from '../server/types.ts';

const PAUSE_MS = 20;

/** FAILED_PRECONDITION unless it runs and nobody is removing it. `what` follows "Cannot". */
export function checkRuns(what: string, { status }: Container): void {
	if (status.removing) throw failedPrecondition(`Cannot ${what}: it is being removed`);
	const state = stateName(status);
	if (state !== 'running') throw failedPrecondition(`Cannot ${what}: it is ${state}, not running`);
}

/**
 * Two at once would thaw what the other has frozen. ABORTED when one is under way. To be called without an await since
 * the containers were seen to run.
 */
export function claim({ containers }: Daemon, what: string, wanted: readonly Container[]): Disposable {
	const ids = wanted.map(({ metadata }) => metadata.id);
	const busy = ids.find((id) => containers.checkpointing.has(id));
	if (busy !== undefined) throw aborted(`Cannot ${what}: a checkpoint of container ${busy} is under way`);
	for (const id of ids) containers.checkpointing.add(id);
	return {
		[Symbol.dispose]: () => {
			for (const id of ids) containers.checkpointing.delete(id);
		},
	};
}

/**
 * What a checkpoint needs to know of the sandbox. UNAVAILABLE when its shim is gone, FAILED_PRECONDITION when it is not
 * ready: the pid of its pause process may be another's by then. `pausePid`: sees the pod's /dev/shm in a root that is
 * ours and read-only; in that of a container /dev/shm may be a link to anywhere on the host.
 */
export function sandboxOf(
	{ sandboxes }: Pick<Daemon, 'sandboxes'>,
	id: string,
): { readonly shimPid: number; readonly pausePid: number; readonly hasSharedMemory: boolean } {
	const shim = sandboxes.shims.get(id);
	const sandbox = sandboxes.get(id);
	const pausePid = sandbox?.status.pause?.pid;
	if (sandbox !== undefined && sandbox.status.state !== 'ready')
		throw failedPrecondition(`Sandbox ${id} is not ready`);
	if (shim === undefined || sandbox === undefined || pausePid === undefined)
		throw unavailable(`The shim of sandbox ${id} is gone`);
	const { hostIpc } = podNamespaces(sandbox.metadata.config.linux?.security_context?.namespace_options);
	return { shimPid: shim.process.pid, pausePid, hasSharedMemory: !hostIpc };
}

/** Settles when no checkpoint is under way: a daemon that ends before would leave containers frozen. */
export async function checkpointsEnded({ containers }: Pick<Daemon, 'containers'>): Promise<void> {
	while (containers.checkpointing.size > 0) await sleep(PAUSE_MS);
}
