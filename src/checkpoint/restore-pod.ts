import { existsSync } from 'node:fs';
import { isAbsolute, join, normalize } from 'node:path';
import { aborted, invalidArgument, unavailable } from '#base/errors.ts';
import { withRollback } from '#base/rollback.ts';
import type { ContainerConfig, RestorePodRequest } from '#cri-api';
import { createContainer } from '../container/create-container.ts';
import { removeSandbox } from '../sandbox/remove-sandbox.ts';
import { runSandbox } from '../sandbox/run-sandbox.ts';
import type { Call, Daemon } from '../server/types.ts';
import { SHARED_MEMORY, sharedMemoryOf } from './capture.ts';
import { Deadline } from './deadline.ts';
import { readContainer, readPod, type SavedContainer } from './documents.ts';
import { refuseOptions } from './options.ts';
import { checkSamePrivileged } from './same-protection.ts';
import { unpack } from './tar.ts';
import { checkTrusted } from './trusted.ts';

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
 * RestorePod: a new sandbox with the containers of a checkpoint, CREATED. A failure takes all of it back. A retry
 * after an answer that was lost finds the name taken: the pod that is there is to be removed first.
 */
export async function restorePod(
	daemon: Daemon,
	request: RestorePodRequest,
	call: Call,
): Promise<RestoredPod> {
	refuseOptions(request.options);
	const folder = checkpointFolder(request.checkpoint_path);
	const criu = await daemon.criu.require(`restore the pod of ${folder}`);
	await checkTrusted(folder);
	const pod = await readPod(folder);
	const parts = await partsOf(folder, pod.containers, request.container_configs);
	const config = request.config ?? pod.config;
	const runtimeHandler = request.runtime_handler || pod.runtimeHandler;
	return await withRollback(async (rollback) => {
		const before = new Set(daemon.sandboxes.list().map(({ metadata }) => metadata.id));
		const sandboxId = await runSandbox(daemon, { config, runtime_handler: runtimeHandler }, call);
		// The same name may have been asked for a moment ago: what others made is not ours to fill.
		if (before.has(sandboxId))
			throw aborted(`Sandbox ${sandboxId} with that name is there already; remove it first`);
		rollback.push(`sandbox ${sandboxId}`, () => removeSandbox(daemon, sandboxId));
		await restoreSharedMemory(daemon, sandboxId, folder);
		const containers: { name: string; id: string }[] = [];
		for (const part of parts)
			containers.push({ name: part.name, id: await restoreContainer(daemon, sandboxId, part, criu, call) });
		return { sandboxId, containers };
	});
}

function checkpointFolder(path: string): string {
	if (path === '') throw invalidArgument('checkpoint_path is empty');
	if (!isAbsolute(path))
		throw invalidArgument(`checkpoint_path ${JSON.stringify(path)} is not an absolute path`);
	return normalize(path);
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
			return { name: part.name, folder: join(folder, part.folder), saved: its, config };
		}),
	);
}

/** Before the first container: its processes may have files of it mapped. */
async function restoreSharedMemory(
	{ sandboxes, launcher, config }: Daemon,
	sandboxId: string,
	folder: string,
): Promise<void> {
	const archive = join(folder, SHARED_MEMORY);
	if (!existsSync(archive)) return;
	const pid = sandboxes.get(sandboxId)?.status.pause?.pid;
	if (pid === undefined) throw unavailable(`Sandbox ${sandboxId} ended while it was restored`);
	const deadline = new Deadline('restore /dev/shm', 0n, config);
	await unpack(launcher, { folder: sharedMemoryOf(pid), archive }, deadline);
}

function restoreContainer(
	daemon: Daemon,
	sandboxId: string,
	{ config, folder, saved }: Part,
	criu: string,
	call: Call,
): Promise<string> {
	const request = { pod_sandbox_id: sandboxId, config, sandbox_config: null };
	return createContainer(daemon, request, call, { criu, folder, surroundings: saved.surroundings });
}
