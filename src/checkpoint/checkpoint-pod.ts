import { join } from 'node:path';
import { failedPrecondition, invalidArgument, notFound } from '#base/errors.ts';
import type { CheckpointPodRequest } from '#cri-api';
import { checkCanCheckpoint } from '#runtime';
import { specOf } from '../container/bundle-spec.ts';
import { type Container, stateName } from '../container/types.ts';
import type { Sandbox } from '../sandbox/types.ts';
import { requireId } from '../server/require-id.ts';
import type { Call, Daemon } from '../server/types.ts';
import { capture, type Saved } from './capture.ts';
import { checkRuns, claim, sandboxOf } from './claim.ts';
import { Deadline } from './deadline.ts';
import { type Destination, findDestination, publish } from './destination.ts';
import { isCheckpointOfPod, writePod } from './documents.ts';
import { inTemporary } from './interrupted.ts';
import { refuseOptions } from './options.ts';
import { joined } from './under-way.ts';

/**
 * CheckpointPod: a folder with the chosen containers (all that run) as they were at one moment; they go on. A call in
 * the same words while this one runs joins it; after it, it saves the pod anew, in place of what lies there.
 */
export const checkpointPod = (daemon: Daemon, request: CheckpointPodRequest, call: Call): Promise<void> =>
	joined(daemon, { CheckpointPod: request }, () => checkpoint(daemon, request, call));

async function checkpoint(daemon: Daemon, request: CheckpointPodRequest, call: Call): Promise<void> {
	refuseOptions(request.options);
	const { id } = found(daemon, requireId('pod_sandbox_id', request.pod_sandbox_id)).metadata;
	const what = `checkpoint pod sandbox ${id}`;
	const criu = await daemon.criu.require(what);
	const sandbox = found(daemon, id);
	const running = daemon.containers
		.ofSandbox(sandbox.metadata.id)
		.filter(({ status }) => stateName(status) === 'running' && !status.removing);
	const chosen = choose(daemon, what, sandbox, running, request.container_ids);
	using _claimed = claim(daemon, what, running);
	for (const { metadata } of chosen)
		checkCanCheckpoint(`checkpoint container ${metadata.id}`, await specOf(metadata));
	const field = 'output_path';
	const isSame = (folder: string) => isCheckpointOfPod(folder, sandbox);
	const destination = await findDestination(request.output_path, { field, kind: 'folder', isSame });
	const work = () => save(daemon, call, { what, criu, sandbox, running, chosen, destination });
	await inTemporary(daemon, { field, destination, containers: running, work });
}

interface PodSave {
	readonly what: string;
	readonly criu: string;
	readonly sandbox: Sandbox;
	readonly running: readonly Container[];
	readonly chosen: readonly Container[];
	readonly destination: Destination;
}

async function save(
	daemon: Daemon,
	call: Call,
	{ what, criu, sandbox, running, chosen, destination }: PodSave,
): Promise<void> {
	const { content, temporary } = destination;
	const saved = await Promise.all(chosen.map((container, index) => placeOf(content, container, index)));
	const { shimPid, pausePid, hasSharedMemory } = sandboxOf(daemon, sandbox.metadata.id);
	const sharedMemory = hasSharedMemory ? { pid: pausePid, folder: content } : undefined;
	const deadline = new Deadline(what, 0n, daemon.config);
	await call.stage('capture', () =>
		capture(daemon, { criu, shimPid, stopped: running, saved, temporary, sharedMemory, deadline }),
	);
	const containers = saved.map(({ container, folder }) => ({
		name: container.metadata.config.metadata?.name ?? '',
		folder: folder.slice(content.length + 1),
	}));
	await writePod(content, sandbox, containers);
	await publish(destination, content);
}

function found({ sandboxes }: Daemon, id: string): Sandbox {
	const sandbox = sandboxes.find(id);
	if (sandbox === undefined) throw notFound(`No sandbox ${id}`);
	const { state } = sandbox.status;
	if (state === 'ready') return sandbox;
	throw failedPrecondition(`Cannot checkpoint pod sandbox ${sandbox.metadata.id}: it is ${state}`);
}

function choose(
	{ containers }: Daemon,
	what: string,
	{ metadata }: Sandbox,
	running: readonly Container[],
	ids: readonly string[],
): readonly Container[] {
	if (ids.length === 0 && running.length === 0)
		throw failedPrecondition(`Cannot ${what}: no container runs in it`);
	if (ids.length === 0) return running;
	const wanted = ids.map((id) => {
		const container = id === '' ? undefined : containers.find(id);
		if (container?.metadata.sandboxId !== metadata.id)
			throw invalidArgument(`container_ids: sandbox ${metadata.id} has no container ${JSON.stringify(id)}`);
		checkRuns(`checkpoint container ${container.metadata.id}`, container);
		return container;
	});
	return [...new Set(wanted)];
}

async function placeOf(content: string, container: Container, index: number): Promise<Saved> {
	const name = (container.metadata.config.metadata?.name ?? '').replace(/[^A-Za-z0-9_-]/g, '_').slice(0, 64);
	const folder = join(content, 'containers', `${index}-${name}`);
	return { container, spec: await specOf(container.metadata), folder };
}
