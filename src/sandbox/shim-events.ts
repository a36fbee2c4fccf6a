import { messageOf } from '#base/errors.ts';
import type { ExitRecord, Shim, ShimContainer } from '#runtime';
import { containerExited, containerLost } from '../container/exits.ts';
import type { ShimLoss } from '../metrics/losses.ts';
import type { Daemon } from '../server/types.ts';
import { nowNs } from './clock.ts';

/** Takes a shim over: hears of exits, those before this included, and of its own end. Answers what it has. */
export async function watchShim(
	daemon: Daemon,
	sandboxId: string,
	shim: Shim,
): Promise<readonly ShimContainer[]> {
	daemon.sandboxes.shims.set(sandboxId, shim);
	void shim.closed.then(() => shimLost(daemon, sandboxId, shim));
	return await shim.subscribe((exit) => tell(daemon, sandboxId, exit));
}

/**
 * Asks a shim once for exits that came before their object was published, when nobody was there to note them. Does
 * not reject.
 */
export async function catchUp(daemon: Daemon, sandboxId: string): Promise<void> {
	try {
		const containers = (await daemon.sandboxes.shims.get(sandboxId)?.list()) ?? [];
		for (const { exit } of containers) if (exit !== undefined) tell(daemon, sandboxId, exit);
	} catch (error) {
		daemon.log.debug('cannot ask a shim for exits', { sandbox: sandboxId, error: messageOf(error) });
	}
}

function tell(daemon: Daemon, sandboxId: string, exit: ExitRecord): void {
	if (exit.id === sandboxId) sandboxExited(daemon, exit);
	else void containerExited(daemon, exit);
}

/** The process that holds the pod's namespaces has ended: by StopPodSandbox, or by somebody else. */
function sandboxExited({ sandboxes, events, log }: Daemon, exit: ExitRecord): void {
	const { id } = exit;
	if (sandboxes.get(id)?.status.state !== 'ready') return;
	const how = exit.signal === 0 ? `exit code ${exit.exitCode}` : `signal ${exit.signal}`;
	log.warn('the process of a sandbox ended unasked', { sandbox: id, how });
	sandboxes.update(id, {
		state: 'notready',
		reason: 'SandboxProcessEnded',
		message: `its process ended with ${how}`,
	});
	events.publish({ type: 'CONTAINER_STOPPED_EVENT', sandboxId: id, containerId: id, atNs: exit.exitedAtNs });
	sandboxes.trySave(id);
}

/**
 * A shim that ends before its containers takes their streams and exit codes with it: what is left of them is
 * killed, and the sandbox is not ready any more.
 */
export async function shimLost(
	daemon: Daemon,
	sandboxId: string,
	shim?: Shim,
	how: ShimLoss = 'gone',
): Promise<void> {
	const { sandboxes, containers, events, log, metrics } = daemon;
	// A connection that we closed ourselves has been forgotten before.
	if (shim !== undefined && sandboxes.shims.get(sandboxId) !== shim) return;
	if (shim !== undefined) sandboxes.shims.delete(sandboxId, shim);
	if (sandboxes.get(sandboxId)?.status.state === 'ready') {
		log.error('the shim of a sandbox is gone', { sandbox: sandboxId });
		metrics.shimLost(how);
		sandboxes.update(sandboxId, { state: 'notready', reason: 'ShimLost', message: 'its shim is gone' });
		events.publish({ type: 'CONTAINER_STOPPED_EVENT', sandboxId, containerId: sandboxId, atNs: nowNs() });
		sandboxes.trySave(sandboxId);
	}
	await Promise.all(
		containers.ofSandbox(sandboxId).map((container) => containerLost(daemon, container.metadata.id)),
	);
}
