import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { allOf } from '#base/all-of.ts';
import { fromSystemError, unavailable } from '#base/errors.ts';
import { changing } from '#base/fault-points.ts';
import {
	type CreatedContainer,
	type CreateOptions,
	checkCanCheckpoint,
	type PreparedCreate,
	prepareCreate,
	type Surroundings,
} from '#runtime';
import { Deadline } from '../checkpoint/deadline.ts';
import { restoreRootDiff } from '../checkpoint/root-diff.ts';
import { checkSameProtection } from '../checkpoint/same-protection.ts';
import { restoreSharedMemory } from '../checkpoint/shared-memory.ts';
import { unpack } from '../checkpoint/tar.ts';
import { checkTrusted } from '../checkpoint/trusted.ts';
import { cgroupsPathOf } from '../sandbox/cgroup-parent.ts';
import { nowNs } from '../sandbox/clock.ts';
import type { Timeline } from '../sandbox/timeline.ts';
import type { Daemon } from '../server/types.ts';
import { containerSpec, takenFromSandbox } from '../spec/container-spec.ts';
import type { ContainerSpecInput, ResolvedUser } from '../spec/input.ts';
import type { ContainerRequest } from './check-request.ts';
import type { ImageTree } from './image-tree.ts';
import { imageMountOptions, leaseImageVolumes } from './image-volumes.ts';
import { containerSpecInput, layerFolders } from './spec-input.ts';
import { stopSignalOf } from './stop-signal.ts';
import type { ContainerMetadata, ContainerStatus } from './types.ts';
import { imageVolumes, type Volume } from './volumes.ts';

/** Whose processes take the place of the program. */
export interface Restored {
	readonly criu: string;
	/** The checkpoint of one container, as CheckpointContainer has written it. */
	readonly path: string;
	readonly isArchive: boolean;
	readonly surroundings: Surroundings;
	/** It brings the /dev/shm of its pod along; else that is the pod's matter. */
	readonly alone: boolean;
}

/** What one creation works with. */
export interface Creation {
	readonly daemon: Daemon;
	readonly request: ContainerRequest;
	readonly metadata: ContainerMetadata;
	readonly timeline: Timeline;
	/** From a checkpoint; undefined: its program is to run from the beginning. */
	readonly restored: Restored | undefined;
}

export interface PlannedProcess {
	readonly user: ResolvedUser;
	readonly prepared: PreparedCreate;
}

interface Layers {
	readonly lowers: readonly string[];
	readonly tree: ImageTree;
	readonly volumes: readonly Volume[];
}

/** The metadata before the image's files have been read. */
export function newMetadata(
	{ containers, config: { instance } }: Daemon,
	request: ContainerRequest,
	id: string,
): ContainerMetadata {
	const { config, image, imageVolumes, sandbox, logPath } = request;
	return {
		id,
		sandboxId: sandbox.metadata.id,
		config,
		image: {
			id: image.id,
			userReference: config.image?.user_specified_image || (config.image?.image ?? ''),
			ref: image.repoDigests[0] ?? image.id,
		},
		...(imageVolumes.length > 0 && {
			imageVolumes: imageVolumes.map((volume) => ({ index: volume.index, imageId: volume.image.id })),
		}),
		createdAtNs: nowNs(),
		folder: containers.records.folderOf(id),
		logPath,
		cgroupsPath: cgroupsPathOf(sandbox.metadata.cgroupParent, instance, id),
		stopSignal: stopSignalOf(config.stop_signal, image.config.stopSignal),
		// Known when the image's files have been read.
		user: { uid: 0, gid: 0, supplementalGroups: [] },
	};
}

/** The status before the first stage. */
export function newStatus({ config }: ContainerRequest): ContainerStatus {
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

/** The record comes first: whatever is made after it is found by recovery. */
export async function makeFolder({ daemon, metadata }: Creation, status: ContainerStatus): Promise<void> {
	await changing('create.folder', () => daemon.containers.records.makeFolder(metadata.id));
	await changing('create.making', () =>
		daemon.containers.records.save(metadata.id, 'making', { metadata, status }),
	);
}

export async function makeLogFolder({ metadata }: Creation): Promise<void> {
	if (metadata.logPath === '') return;
	try {
		await changing('create.log-folder', () =>
			mkdir(dirname(metadata.logPath), { recursive: true, mode: 0o755 }),
		);
	} catch (error) {
		throw fromSystemError(`Cannot make the log folder ${dirname(metadata.logPath)}`, error);
	}
}

/** Holds the layers of its images until the container is removed: in force from the call on, on disk when it settles. */
export async function leaseLayers({ daemon, metadata }: Creation): Promise<void> {
	await changing('create.lease', () =>
		allOf([daemon.images.lease(metadata.image.id, metadata.id), leaseImageVolumes(daemon, metadata)]),
	);
}

/** What its process will be, from the image's files; the bundle is written. Layers must be held. */
export async function planProcess(creation: Creation): Promise<PlannedProcess> {
	const { daemon, metadata, request, timeline } = creation;
	const { cgroups, launcher, config } = daemon;
	const { id, cgroupsPath } = metadata;
	const layers = await layersOf(creation);
	const input = await timeline.stage('spec', () =>
		containerSpecInput(daemon, request, { id, cgroupsPath, ...layers }),
	);
	const options = await createOptions(creation, input, layers);
	if (options.restore) {
		checkCanCheckpoint(`restore container ${id}`, options.spec);
		await checkSameProtection(options.restore.folder, options.spec);
	}
	const prepared = await timeline.stage('plan', () =>
		prepareCreate({ cgroups, launcher, instance: config.instance }, options),
	);
	return { user: input.user, prepared };
}

async function layersOf({ daemon, metadata, request }: Creation): Promise<Layers> {
	const lowers = daemon.images.layersOf(metadata.image.id);
	const tree = daemon.containers.imageTrees.of(lowers);
	const folder = join(daemon.containers.layerFolder(metadata.id), 'volumes');
	return { lowers, tree, volumes: await imageVolumes(request.image.config.volumes, tree, folder) };
}

async function createOptions(
	creation: Creation,
	input: ContainerSpecInput,
	{ lowers, tree, volumes }: Layers,
): Promise<CreateOptions> {
	const { daemon, metadata, request, timeline, restored } = creation;
	const { id, logPath } = metadata;
	const folder = daemon.containers.layerFolder(id);
	const { stdin, stdin_once } = request.config;
	const { images, folders } = imageMountOptions(input.images, folder);
	return {
		id,
		bundle: join(metadata.folder, 'bundle'),
		spec: containerSpec(input),
		...takenFromSandbox(input),
		overlay: { lowers, upper: join(folder, 'upper'), work: join(folder, 'work') },
		...(input.images.length > 0 && { images }),
		folders: [...(await layerFolders(folder, tree, volumes, input.sandbox.namespaces.user)), ...folders],
		...(logPath === '' ? {} : { log: { path: logPath, lineMax: daemon.config.runtime.logLineMaxBytes } }),
		stdin,
		stdinOnce: stdin_once,
		...(restored && {
			restore: {
				criu: restored.criu,
				folder: checkpointOf(creation, restored),
				surroundings: restored.surroundings,
			},
		}),
		signal: timeline.signal,
	};
}

/** The folder of the checkpoint; an archive is unpacked to one beside the writable layer, for as long as it is made. */
const checkpointOf = ({ daemon, metadata }: Creation, { path, isArchive }: Restored): string =>
	isArchive ? join(daemon.containers.layerFolder(metadata.id), 'checkpoint') : path;

/** No tar works any more when the creation is given up: what it writes to is removed then. */
function restoreDeadline({ daemon: { config }, timeline }: Creation, what: string): Deadline {
	const seconds = Math.min(config.runtime.checkpointTimeoutSeconds, timeline.secondsLeft);
	return new Deadline(what, BigInt(seconds), config);
}

/** What is in an archive is looked at where nobody else comes. */
export async function openCheckpoint(creation: Creation, restored: Restored): Promise<void> {
	if (!restored.isArchive) return;
	const { launcher } = creation.daemon;
	const folder = checkpointOf(creation, restored);
	const deadline = restoreDeadline(creation, `unpack ${restored.path}`);
	await changing('restore.unpack', async () => {
		await mkdir(folder, { recursive: true, mode: 0o700 });
		await unpack(launcher, { folder, archive: restored.path }, deadline);
	});
	await checkTrusted(folder);
}

/** What the container of a checkpoint had written to its root, and what it shared with its pod. */
export async function fillFiles(creation: Creation, restored: Restored): Promise<void> {
	const { daemon, metadata } = creation;
	const folder = checkpointOf(creation, restored);
	const upper = join(daemon.containers.layerFolder(metadata.id), 'upper');
	const deadline = restoreDeadline(creation, 'restore the files');
	await changing('restore.files', () => restoreRootDiff(daemon.launcher, { upper, folder }, deadline));
	const memory = { folder, amongOthers: true };
	if (restored.alone) await restoreSharedMemory(daemon, metadata.sandboxId, memory, deadline);
}

/** Its processes exist, and need it no more. */
export async function closeCheckpoint(creation: Creation, restored: Restored): Promise<void> {
	if (!restored.isArchive) return;
	await changing('restore.close', () =>
		creation.daemon.launcher.removeTree(checkpointOf(creation, restored)),
	);
}

/** The process, waiting at its exec. */
export async function createProcess(
	{ daemon, metadata }: Creation,
	prepared: PreparedCreate,
): Promise<CreatedContainer> {
	const { sandboxId } = metadata;
	const shim = daemon.sandboxes.shims.get(sandboxId);
	if (shim === undefined) throw unavailable(`The shim of sandbox ${sandboxId} is gone; run a new sandbox`);
	const created = await shim.createPrepared(prepared);
	daemon.metrics.planSteps(created.timings);
	return created;
}
