import { readFile, writeFile } from 'node:fs/promises';
import { errnoOf, failedPrecondition, invalidArgument, messageOf, notFound } from '#base/errors.ts';
import type {
	LinuxContainerResources,
	LinuxContainerResourcesInit,
	UpdateContainerResourcesRequest,
} from '#cri-api';
import type { Daemon } from '../server/types.ts';
import { checkOomScore, ociResources } from '../spec/with-resources.ts';
import { type Container, stateOf } from './types.ts';

/**
 * UpdateContainerResources: changes limits in place, all or nothing; a field that is 0 or empty is left as it is.
 * What holds now is in the container's status.
 */
export async function updateResources(
	daemon: Daemon,
	request: UpdateContainerResourcesRequest,
): Promise<void> {
	const { containers, cgroups, log } = daemon;
	if (request.windows !== null) throw invalidArgument('windows is set, but this node runs Linux');
	const [annotation] = Object.keys(request.annotations);
	if (annotation !== undefined)
		throw invalidArgument(
			`annotations has ${JSON.stringify(annotation)}: no annotation changes resources here`,
		);
	const found = containers.find(request.container_id);
	if (found === undefined) throw notFound(`No container ${request.container_id}`);
	const { id } = found.metadata;
	using _held = await containers.locks.acquire(id);
	const container = checkCanUpdate(id, containers.get(id));
	if (request.linux === null) return;
	checkOomScore(request.linux);
	await cgroups.update(container.metadata.cgroupsPath, ociResources(request.linux, containers.host));
	await setOomScore(container, request.linux).catch((error: unknown) => {
		log.warn('cannot set the OOM score of a container', { container: id, error: messageOf(error) });
	});
	containers.update(id, { resources: merged(container.status.resources, request.linux) });
	containers.trySave(id);
}

function checkCanUpdate(id: string, container: Container | undefined): Container {
	if (container === undefined) throw notFound(`Container ${id} was removed`);
	const state = stateOf(container.status);
	if (container.status.removing || (state !== 'CONTAINER_RUNNING' && state !== 'CONTAINER_CREATED')) {
		const why = container.status.removing ? 'being removed' : state.replace('CONTAINER_', '').toLowerCase();
		throw failedPrecondition(`Cannot change the resources of container ${id}: it is ${why}`);
	}
	return container;
}

async function setOomScore({ status }: Container, { oom_score_adj }: LinuxContainerResources): Promise<void> {
	const before = String(status.resources.oom_score_adj ?? '0');
	if (oom_score_adj === '0' || oom_score_adj === before || status.process === undefined) return;
	await writeOomScore(`/proc/${status.process.pid}/oom_score_adj`, oom_score_adj);
}

/**
 * Lowering it below the daemon's own is a privilege that the node may not give: then it is as low as that of a process
 * that is created with this score.
 */
async function writeOomScore(path: string, score: string): Promise<void> {
	try {
		await writeFile(path, score);
	} catch (error) {
		if (errnoOf(error) !== 'EACCES' && errnoOf(error) !== 'EPERM') throw error;
		const [least, now] = await Promise.all(
			['/proc/self/oom_score_adj', path].map(async (file) => Number(await readFile(file, 'utf8'))),
		);
		if (Number(least) < Number(now)) await writeFile(path, String(least));
	}
}

/** The limits before, with those that the request sets. */
export function merged(
	before: LinuxContainerResourcesInit,
	change: LinuxContainerResources,
): LinuxContainerResourcesInit {
	const set = Object.entries(change).filter(([, value]) => isSet(value));
	return {
		...before,
		...Object.fromEntries(set),
		hugepage_limits: mergedHugepages(before.hugepage_limits ?? [], change.hugepage_limits),
		unified: { ...before.unified, ...change.unified },
	};
}

/** One limit for each page size; those that the change does not name still hold. */
function mergedHugepages(
	before: NonNullable<LinuxContainerResourcesInit['hugepage_limits']>,
	change: LinuxContainerResources['hugepage_limits'],
): NonNullable<LinuxContainerResourcesInit['hugepage_limits']> {
	const changed = new Set<string | undefined>(change.map(({ page_size }) => page_size));
	return [...before.filter(({ page_size }) => !changed.has(page_size)), ...change];
}

function isSet(value: unknown): boolean {
	if (Array.isArray(value)) return value.length > 0;
	return value !== '' && value !== '0' && value !== 0;
}
