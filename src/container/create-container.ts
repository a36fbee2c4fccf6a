import { allOf } from '#base/all-of.ts';
import { aborted } from '#base/errors.ts';
import { changing } from '#base/fault-points.ts';
import { withRollback } from '#base/rollback.ts';
import type { CreateContainerRequest } from '#cri-api';
import type { ProcessIdentity } from '#runtime';
import { catchUp } from '../sandbox/shim-events.ts';
import { takeBack } from '../sandbox/take-back.ts';
import { Timeline } from '../sandbox/timeline.ts';
import type { Call, Daemon } from '../server/types.ts';
import { toJson } from '../store/json.ts';
import type { Holder } from '../store/names.ts';
import { type ContainerRequest, checkContainerRequest } from './check-request.ts';
import {
	type Creation,
	closeCheckpoint,
	createProcess,
	fillFiles,
	leaseLayers,
	makeFolder,
	makeLogFolder,
	newMetadata,
	newStatus,
	openCheckpoint,
	planProcess,
	type Restored,
} from './create-stages.ts';
import { containerName } from './metadata.ts';
import { teardownContainer } from './teardown.ts';
import { type Container, type ContainerMetadata, stateOf } from './types.ts';

/**
 * CreateContainer: everything up to the program's exec, so that starting is one message. A call with the same
 * metadata and checkpoint while this one runs joins it; it goes on when its client leaves. On failure everything is
 * taken back. `restored`: the processes of a checkpoint take the place of the program.
 */
export async function createContainer(
	daemon: Daemon,
	request: CreateContainerRequest,
	call: Call,
	restored?: Restored,
): Promise<string> {
	const checked = checkContainerRequest(daemon, request);
	const sandboxId = checked.sandbox.metadata.id;
	return await daemon.containers.names.claim(containerName(sandboxId, checked.metadata), {
		signal: call.signal,
		...(restored && { by: `checkpoint ${restored.path}` }),
		make: (holder) => counted(daemon, sandboxId, makeContainer(daemon, checked, holder, call, restored)),
		isRetryFor: (id) => isUnused(daemon, checked, id),
	});
}

/** Asked for in the same words, and never started: whoever asked was not told of it. */
function isUnused({ containers }: Daemon, request: ContainerRequest, id: string): boolean {
	const container = containers.get(id);
	if (container === undefined || stateOf(container.status) !== 'CONTAINER_CREATED') return false;
	return toJson(container.metadata.config) === toJson(request.config);
}

/** The removal of a sandbox waits for the containers that are being made in it. */
async function counted({ containers }: Daemon, sandboxId: string, making: Promise<void>): Promise<void> {
	const all = containers.making.get(sandboxId) ?? new Set();
	containers.making.set(sandboxId, all.add(making));
	try {
		await making;
	} finally {
		all.delete(making);
		if (all.size === 0) containers.making.delete(sandboxId);
	}
}

async function makeContainer(
	daemon: Daemon,
	request: ContainerRequest,
	holder: Holder,
	call: Call,
	restored: Restored | undefined,
): Promise<void> {
	const creation: Creation = {
		daemon,
		request,
		metadata: newMetadata(daemon, request, holder.id),
		restored,
		timeline: new Timeline(holder, call.stage, daemon.config.runtime.createTimeoutSeconds),
	};
	const { metadata, timeline } = creation;
	const status = newStatus(request);
	await withRollback(async (rollback) => {
		const what = `container ${metadata.id}`;
		rollback.push(what, () => takeBack(daemon, what, () => teardownContainer(daemon, { metadata, status })));
		await timeline.stage('record', () => makeFolder(creation, status));
		if (restored) await timeline.stage('checkpoint', () => openCheckpoint(creation, restored));
		// In force at once, and on disk before anybody is told.
		const [, { user, process }] = await allOf([
			timeline.stage('image', () => leaseLayers(creation)),
			makeProcess(creation),
		]);
		await timeline.stage('publish', () =>
			publish(creation, { metadata: { ...metadata, user }, status: { ...status, process } }),
		);
	});
}

async function makeProcess(
	creation: Creation,
): Promise<{ user: ContainerMetadata['user']; process: ProcessIdentity }> {
	const { timeline } = creation;
	const [planned] = await allOf([
		planProcess(creation),
		timeline.stage('log.folder', () => makeLogFolder(creation)),
	]);
	const { uid, gid, groups } = planned.user;
	const { restored } = creation;
	if (restored) await timeline.stage('files', () => fillFiles(creation, restored));
	const { process } = await timeline.stage('create', () => createProcess(creation, planned.prepared));
	if (restored) await timeline.stage('checkpoint.close', () => closeCheckpoint(creation, restored));
	return { user: { uid, gid, supplementalGroups: groups }, process };
}

async function publish({ daemon, timeline }: Creation, container: Container): Promise<void> {
	const { containers, sandboxes, events } = daemon;
	const { id, sandboxId, createdAtNs } = container.metadata;
	const published: Container = { ...container, status: { ...container.status, timeline: timeline.stages } };
	await changing('create.made', () => containers.records.save(id, 'made', published));
	// No await between this look and the publication: a stop that comes later sees the container.
	if (sandboxes.get(sandboxId)?.status.state !== 'ready' || sandboxes.shims.get(sandboxId) === undefined) {
		throw aborted(`Sandbox ${sandboxId} was stopped while container ${id} was made in it`);
	}
	containers.add(published);
	events.publish({ type: 'CONTAINER_CREATED_EVENT', sandboxId, containerId: id, atNs: createdAtNs });
	void catchUp(daemon, sandboxId);
}
