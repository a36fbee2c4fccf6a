import { join } from 'node:path';
import { notFound } from '#base/errors.ts';
import { changing } from '#base/fault-points.ts';
import type { CheckpointContainerRequest } from '#cri-api';
import { checkCanCheckpoint } from '#runtime';
import { specOf } from '../container/bundle-spec.ts';
import type { Container } from '../container/types.ts';
import { requireId } from '../server/require-id.ts';
import type { Call, Daemon } from '../server/types.ts';
import { capture } from './capture.ts';
import { checkRuns, claim, sandboxOf } from './claim.ts';
import { Deadline } from './deadline.ts';
import { type Destination, findDestination, publish } from './destination.ts';
import { isCheckpointOf } from './documents.ts';
import { inTemporary } from './interrupted.ts';
import { pack } from './tar.ts';
import { joined } from './under-way.ts';

/**
 * CheckpointContainer: an archive at `location` (a folder, when it names one); the container goes on. A call in the
 * same words while this one runs joins it; after it, it saves the container anew, in place of what lies there.
 */
export const checkpointContainer = (
	daemon: Daemon,
	request: CheckpointContainerRequest,
	call: Call,
): Promise<void> => joined(daemon, { CheckpointContainer: request }, () => checkpoint(daemon, request, call));

async function checkpoint(daemon: Daemon, request: CheckpointContainerRequest, call: Call): Promise<void> {
	const { id } = found(daemon, requireId('container_id', request.container_id)).metadata;
	const what = `checkpoint container ${id}`;
	const deadline = new Deadline(what, BigInt(request.timeout), daemon.config);
	const criu = await daemon.criu.require(what);
	const container = found(daemon, id);
	checkRuns(what, container);
	using _claimed = claim(daemon, what, [container]);
	checkCanCheckpoint(what, await specOf(container.metadata));
	const field = 'location';
	const isSame = (folder: string) => isCheckpointOf(folder, container);
	const destination = await findDestination(request.location, { field, kind: 'any', isSame });
	const work = async () => {
		await call.stage('capture', () => captureOne(daemon, container, { criu, destination, deadline }));
		await call.stage('write', () => write(daemon, destination, deadline));
	};
	await inTemporary(daemon, { field, destination, containers: [container], work });
}

function found({ containers }: Daemon, id: string): Container {
	const container = containers.find(id);
	if (container === undefined) throw notFound(`No container ${id}`);
	return container;
}

async function captureOne(
	daemon: Daemon,
	container: Container,
	given: { readonly criu: string; readonly destination: Destination; readonly deadline: Deadline },
): Promise<void> {
	const { criu, deadline, destination } = given;
	const { temporary, content } = destination;
	const { shimPid, pausePid, hasSharedMemory } = sandboxOf(daemon, container.metadata.sandboxId);
	const spec = await specOf(container.metadata);
	await capture(daemon, {
		criu,
		shimPid,
		stopped: [container],
		saved: [{ container, spec, folder: content }],
		temporary,
		sharedMemory: hasSharedMemory ? { pid: pausePid, folder: content } : undefined,
		deadline,
	});
}

async function write({ launcher }: Daemon, destination: Destination, deadline: Deadline): Promise<void> {
	const { temporary, content, isFolder } = destination;
	const archive = join(temporary, 'archive.tar');
	if (!isFolder)
		await changing('checkpoint.pack', () => pack(launcher, { folder: content, archive }, deadline));
	await publish(destination, isFolder ? content : archive);
}
