import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fromSystemError, unavailable } from '#base/errors.ts';
import { changing } from '#base/fault-points.ts';
import type { CreatedContainer } from '#runtime';
import { cgroupsPathOf } from '../sandbox/cgroup-parent.ts';
import { nowNs } from '../sandbox/clock.ts';
import type { Timeline } from '../sandbox/timeline.ts';
import type { Daemon } from '../server/types.ts';
import { containerSpec, takenFromSandbox } from '../spec/container-spec.ts';
import type { ContainerSpecInput } from '../spec/input.ts';
import type { ContainerRequest } from './check-request.ts';
import { ImageTree } from './image-tree.ts';
import { layerFolders } from './spec-input.ts';
import { stopSignalOf } from './stop-signal.ts';
import type { ContainerMetadata, ContainerStatus } from './types.ts';
import { imageVolumes, type Volume } from './volumes.ts';

/** What one creation works with. */
export interface Creation {
	readonly daemon: Daemon;
	readonly request: ContainerRequest;
	readonly metadata: ContainerMetadata;
	readonly timeline: Timeline;
}

export interface Layers {
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
export async function makeFolders({ daemon, metadata }: Creation, status: ContainerStatus): Promise<void> {
	await changing('create.folder', () => daemon.containers.records.makeFolder(metadata.id));
	await changing('create.making', () =>
		daemon.containers.records.save(metadata.id, 'making', { metadata, status }),
	);
	if (metadata.logPath === '') return;
	try {
		await changing('create.log-folder', () =>
			mkdir(dirname(metadata.logPath), { recursive: true, mode: 0o755 }),
		);
	} catch (error) {
		throw fromSystemError(`Cannot make the log folder ${dirname(metadata.logPath)}`, error);
	}
}

/** The image's layers, held until the container is removed. */
export async function leaseLayers({ daemon, metadata, request }: Creation): Promise<Layers> {
	const { lowers } = await changing('create.lease', () =>
		daemon.images.lease(metadata.image.id, metadata.id),
	);
	const tree = new ImageTree(lowers);
	const folder = join(daemon.containers.layerFolder(metadata.id), 'volumes');
	return { lowers, tree, volumes: await imageVolumes(request.image.config.volumes, tree, folder) };
}

/** The process, waiting at its exec. */
export async function createProcess(
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
	const created = await shim.create({
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
	daemon.metrics.planSteps(created.timings);
	return created;
}
