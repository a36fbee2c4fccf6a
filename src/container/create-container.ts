import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { aborted, fromSystemError, unavailable } from '#base/errors.ts';
import { withRollback } from '#base/rollback.ts';
import type { CreateContainerRequest } from '#cri-api';
import type { CreatedContainer } from '#runtime';
import { cgroupsPathOf } from '../sandbox/cgroup-parent.ts';
import { CleanUp } from '../sandbox/clean-up.ts';
import { nowNs } from '../sandbox/clock.ts';
import { catchUp } from '../sandbox/shim-events.ts';
import { Timeline } from '../sandbox/timeline.ts';
import type { Call, Daemon } from '../server/types.ts';
import { containerSpec, takenFromSandbox } from '../spec/container-spec.ts';
import type { ContainerSpecInput } from '../spec/input.ts';
import type { Holder } from '../store/names.ts';
import { type ContainerRequest, checkContainerRequest } from './check-request.ts';
import { ImageTree } from './image-tree.ts';
import { containerName } from './metadata.ts';
import { containerSpecInput, layerFolders } from './spec-input.ts';
import { stopSignalOf } from './stop-signal.ts';
import { teardownContainer } from './teardown.ts';
import type { Container, ContainerMetadata, ContainerStatus } from './types.ts';
import { imageVolumes, type Volume } from './volumes.ts';

/** What one creation works with. */
interface Creation {
	readonly daemon: Daemon;
	readonly request: ContainerRequest;
	readonly metadata: ContainerMetadata;
	readonly timeline: Timeline;
}

interface Layers {
	readonly lowers: readonly string[];
	readonly tree: ImageTree;
	readonly volumes: readonly Volume[];
}

/**
 * CreateContainer: everything up to the program's exec, so that starting is one message. A call with the same
 * metadata while this one runs joins it; it goes on when its client leaves. On failure everything is taken back.
 */
export async function createContainer(
	daemon: Daemon,
	request: CreateContainerRequest,
	call: Call,
): Promise<string> {
	const checked = checkContainerRequest(daemon, request);
	const sandboxId = checked.sandbox.metadata.id;
	return await daemon.containers.names.claim(
		containerName(sandboxId, checked.metadata),
		call.signal,
		(holder) => counted(daemon, sandboxId, makeContainer(daemon, checked, holder, call)),
	);
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
): Promise<void> {
	const creation: Creation = {
		daemon,
		request,
		metadata: newMetadata(daemon, request, holder.id),
		timeline: new Timeline(holder, call.stage, daemon.config.runtime.createTimeoutSeconds),
	};
	const { metadata, timeline } = creation;
	const status = newStatus(request);
	await withRollback(async (rollback) => {
		rollback.push(`container ${metadata.id}`, () => takeBack(daemon, { metadata, status }));
		await timeline.stage('files', () => makeFolders(creation, status));
		const layers = await timeline.stage('image', () => leaseLayers(creation));
		const input = await timeline.stage('spec', () =>
			containerSpecInput(daemon, request, { id: metadata.id, cgroupsPath: metadata.cgroupsPath, ...layers }),
		);
		const created = await timeline.stage('create', () => createProcess(creation, input, layers));
		const { uid, gid, groups } = input.user;
		const user = { uid, gid, supplementalGroups: groups };
		await timeline.stage('publish', () =>
			publish(creation, { metadata: { ...metadata, user }, status: { ...status, process: created.process } }),
		);
	});
}

function newMetadata(
	{ containers, config: { instance } }: Daemon,
	request: ContainerRequest,
	id: string,
): ContainerMetadata {
	const { config, image, sandbox, logPath } = request;
	const [digestReference = image.id] = image.repoDigests;
	return {
		id,
		sandboxId: sandbox.metadata.id,
		config,
		image: {
			id: image.id,
			userReference: config.image?.user_specified_image || (config.image?.image ?? ''),
			ref: digestReference,
		},
		createdAtNs: nowNs(),
		folder: containers.records.folderOf(id),
		logPath,
		cgroupsPath: cgroupsPathOf(sandbox.metadata.cgroupParent, instance, id),
		stopSignal: stopSignalOf(config.stop_signal, image.config.stopSignal),
		// Known when the image's files have been read.
		user: { uid: 0, gid: 0, supplementalGroups: [] },
	};
}

function newStatus({ config }: ContainerRequest): ContainerStatus {
	return {
		process: undefined,
		startedAtNs: undefined,
		finishedAtNs: undefined,
		exitCode: 0,
		reason: '',
		message: '',
		unknown: false,
		resources: config.linux?.resources ?? {},
		timeline: [],
		removing: false,
	};
}

async function takeBack(daemon: Daemon, container: Container): Promise<void> {
	const cleanUp = new CleanUp();
	await teardownContainer(daemon, container, cleanUp);
	cleanUp.throwIfFailed(`Cannot take back container ${container.metadata.id}`);
}

/** The record comes first: whatever is made after it is found by recovery. */
async function makeFolders({ daemon, metadata }: Creation, status: ContainerStatus): Promise<void> {
	await mkdir(metadata.folder, { mode: 0o711 });
	await daemon.containers.records.save(metadata.id, 'making', { metadata, status });
	if (metadata.logPath === '') return;
	try {
		await mkdir(dirname(metadata.logPath), { recursive: true, mode: 0o755 });
	} catch (error) {
		throw fromSystemError(`Cannot make the log folder ${dirname(metadata.logPath)}`, error);
	}
}

/** The image's layers, held until the container is removed. */
async function leaseLayers({ daemon, metadata, request }: Creation): Promise<Layers> {
	const { lowers } = await daemon.images.lease(metadata.image.id, metadata.id);
	const tree = new ImageTree(lowers);
	const folder = join(daemon.containers.layerFolder(metadata.id), 'volumes');
	return { lowers, tree, volumes: await imageVolumes(request.image.config.volumes, tree, folder) };
}

async function createProcess(
	creation: Creation,
	input: ContainerSpecInput,
	layers: Layers,
): Promise<CreatedContainer> {
	const { daemon, metadata, request, timeline } = creation;
	const { sandboxId, id, logPath } = metadata;
	const shim = daemon.sandboxes.shims.get(sandboxId);
	if (shim === undefined) throw unavailable(`The shim of sandbox ${sandboxId} is gone; run a new sandbox`);
	const folder = daemon.containers.layerFolder(id);
	const { stdin, stdin_once } = request.config;
	return await shim.create({
		id,
		bundle: join(metadata.folder, 'bundle'),
		spec: containerSpec(input),
		...takenFromSandbox(input),
		overlay: { lowers: layers.lowers, upper: join(folder, 'upper'), work: join(folder, 'work') },
		folders: await layerFolders(folder, layers.tree, layers.volumes, input.sandbox.namespaces.user),
		...(logPath === '' ? {} : { log: { path: logPath, lineMax: daemon.config.runtime.logLineMaxBytes } }),
		stdin,
		stdinOnce: stdin_once,
		signal: timeline.signal,
	});
}

async function publish({ daemon, timeline }: Creation, container: Container): Promise<void> {
	const { containers, sandboxes, events } = daemon;
	const { id, sandboxId, createdAtNs } = container.metadata;
	const published: Container = { ...container, status: { ...container.status, timeline: timeline.stages } };
	await containers.records.save(id, 'made', published);
	// No await between this look and the publication: a stop that comes later sees the container.
	if (sandboxes.get(sandboxId)?.status.state !== 'ready' || sandboxes.shims.get(sandboxId) === undefined) {
		throw aborted(`Sandbox ${sandboxId} was stopped while container ${id} was made in it`);
	}
	containers.add(published);
	events.publish({ type: 'CONTAINER_CREATED_EVENT', sandboxId, containerId: id, atNs: createdAtNs });
	void catchUp(daemon, sandboxId);
}
