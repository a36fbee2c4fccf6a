import { existsSync, readFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { replaceFile } from '#base/atomic-file.ts';
import { aborted, invalidArgument } from '#base/errors.ts';
import { changing } from '#base/fault-points.ts';
import type { ContainerConfig, RestorePodRequest } from '#cri-api';
import { createContainer } from '../container/create-container.ts';
import { containerName } from '../container/metadata.ts';
import { stateName } from '../container/types.ts';
import { runSandbox } from '../sandbox/run-sandbox.ts';
import type { Sandbox } from '../sandbox/types.ts';
import type { Call, Daemon } from '../server/types.ts';
import { toJson } from '../store/json.ts';
import { Deadline } from './deadline.ts';
import { readContainer, readPod, type SavedContainer } from './documents.ts';
import { refuseOptions } from './options.ts';
import { checkNoNewMounts, checkSamePrivileged } from './same-protection.ts';
import { restoreSharedMemory } from './shared-memory.ts';
import { trustedPlace } from './trusted.ts';

export interface RestoredPod {
	readonly sandboxId: string;
	readonly containers: readonly { readonly name: string; readonly id: string }[];
}

interface Part {
	readonly name: string;
	readonly folder: string;
	readonly saved: SavedContainer;
	readonly config: ContainerConfig;
}

/**
 * RestorePod: a new sandbox with the containers of a checkpoint, CREATED. A failure takes all of it back. As
 * RunPodSandbox, a call with the same metadata and checkpoint joins one that runs, and one whose client did not hear
 * the answer gets it.
 */
export async function restorePod(
	daemon: Daemon,
	request: RestorePodRequest,
	call: Call,
): Promise<RestoredPod> {
	refuseOptions(request.options);
	const criu = await daemon.criu.require(`restore the pod of ${request.checkpoint_path}`);
	const folder = await trustedPlace('checkpoint_path', request.checkpoint_path);
	const pod = await readPod(folder);
	const parts = await partsOf(folder, pod.containers, request.container_configs);
	const config = request.config ?? pod.config;
	const runtimeHandler = request.runtime_handler || pod.runtimeHandler;
	// It goes on when its client leaves, with all its parts.
	const ownCall = { ...call, signal: new AbortController().signal };
	const sandboxRequest = { config, runtime_handler: runtimeHandler };
	const sandboxId = await runSandbox(daemon, sandboxRequest, call, {
		by: `RestorePod ${folder}`,
		fill: async ({ metadata }) => {
			await changing('restore.note', () => replaceFile(originOf(metadata), folder));
			const deadline = new Deadline('restore /dev/shm', 0n, daemon.config);
			const memory = { folder, amongOthers: false };
			await changing('restore.shared-memory', () =>
				restoreSharedMemory(daemon, metadata.id, memory, deadline),
			);
			for (const part of parts) await restoreContainer(daemon, metadata.id, part, criu, ownCall);
		},
		isUntouched: (sandbox) => isUntouched(daemon, sandbox, folder, parts),
	});
	return { sandboxId, containers: parts.map((part) => restoredAs(daemon, sandboxId, part)) };
}

/** In the folder of the sandbox's record: the checkpoint that it was made from. */
const originOf = ({ folder }: Sandbox['metadata']): string => join(folder, 'restored-from');

/** Restored from here by an earlier daemon, with the same configs, and nothing was started: nobody was told of it. */
function isUntouched(
	{ containers }: Daemon,
	{ metadata }: Sandbox,
	folder: string,
	parts: readonly Part[],
): boolean {
	const origin = originOf(metadata);
	if (!existsSync(origin) || readFileSync(origin, 'utf8') !== folder) return false;
	const its = containers.ofSandbox(metadata.id);
	return (
		its.length === parts.length &&
		its.every(
			({ metadata: { config }, status }, index) =>
				stateName(status) === 'created' && toJson(config) === toJson(parts[index]?.config),
		)
	);
}

function restoredAs({ containers }: Daemon, sandboxId: string, { name, config }: Part) {
	const metadata = config.metadata;
	const id = metadata === null ? undefined : containers.names.idOf(containerName(sandboxId, metadata));
	if (id === undefined) throw aborted(`Container ${name} of sandbox ${sandboxId} was removed meanwhile`);
	return { name, id };
}

/** Each container with the config that it is to get: the one of the request with its name, or its own. */
async function partsOf(
	folder: string,
	saved: readonly { readonly name: string; readonly folder: string }[],
	configs: readonly ContainerConfig[],
): Promise<readonly Part[]> {
	const nameOf = (config: ContainerConfig) => config.metadata?.name ?? '';
	const strange = configs.map(nameOf).find((name) => !saved.some((part) => part.name === name));
	if (strange !== undefined)
		throw invalidArgument(`container_configs: the checkpoint has no container ${JSON.stringify(strange)}`);
	return await Promise.all(
		saved.map(async (part) => {
			if (part.folder.split('/').includes('..') || isAbsolute(part.folder))
				throw invalidArgument(
					`pod.dump: container folder ${JSON.stringify(part.folder)} leaves the checkpoint`,
				);
			const its = await readContainer(join(folder, part.folder));
			const config = configs.find((given) => nameOf(given) === part.name) ?? its.config;
			checkSamePrivileged(its.config, config);
			checkNoNewMounts(its.config, config);
			return { name: part.name, folder: join(folder, part.folder), saved: its, config };
		}),
	);
}

function restoreContainer(
	daemon: Daemon,
	sandboxId: string,
	{ config, folder, saved }: Part,
	criu: string,
	call: Call,
): Promise<string> {
	const request = { pod_sandbox_id: sandboxId, config, sandbox_config: null };
	const { surroundings } = saved;
	const restored = { criu, path: folder, isArchive: false, surroundings, alone: false };
	return createContainer(daemon, request, call, restored);
}
