import { changing } from '#base/fault-points.ts';
import { teardownContainer } from '../container/teardown.ts';
import type { Daemon } from '../server/types.ts';
import { CleanUp } from './clean-up.ts';
import { endShim } from './end-shim.ts';
import { removeMadeCgroups } from './made-cgroups.ts';
import { sandboxName } from './metadata.ts';
import { removePodFiles } from './pod-files.ts';
import { endNetwork } from './release-network.ts';
import type { Sandbox } from './types.ts';

/** Longest time that one short step may take. */
const STEP_TIMEOUT_MS = 30_000;

/**
 * Takes back everything that a sandbox has on the machine: the one teardown of remove, of a failed run and of
 * recovery. Every step may be done twice, and is tried even when another one failed. The folder with the record
 * goes last, and only when nothing failed, so that what is left can be found and tried again.
 */
export async function teardownSandbox(
	daemon: Daemon,
	sandbox: Sandbox,
	cleanUp: CleanUp = new CleanUp(),
): Promise<CleanUp> {
	const { id, folder, config } = sandbox.metadata;
	const { sandboxes, containers } = daemon;
	// First of all: no failed clean-up keeps a name.
	if (config.metadata !== null) sandboxes.names.release(sandboxName(config.metadata), id);
	for (const container of containers.ofSandbox(id)) await teardownContainer(daemon, container, { cleanUp });
	// Once the network is released the process has been deleted too (StopPodSandbox).
	if (!sandbox.status.networkReleased) await endNetwork(daemon, sandbox, cleanUp);
	const files = sandboxes.filesOf(id);
	await Promise.all([
		cleanUp.step(`end the shim of sandbox ${id}`, STEP_TIMEOUT_MS, () => endShim(daemon, sandbox)),
		cleanUp.step(`remove ${files}`, STEP_TIMEOUT_MS, () =>
			changing('remove.pod-files', () => removePodFiles(files)),
		),
	]);
	await cleanUp.step(`remove the cgroups made for sandbox ${id}`, STEP_TIMEOUT_MS, () =>
		removeMadeCgroups(daemon, sandbox.metadata),
	);
	if (cleanUp.failures.length === 0) {
		await cleanUp.step(`remove ${folder}`, STEP_TIMEOUT_MS, () => sandboxes.records.remove(id));
	}
	if (cleanUp.failures.length === 0) sandboxes.unpublished.delete(id);
	return cleanUp;
}
