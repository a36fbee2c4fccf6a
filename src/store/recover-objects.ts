import { containerName } from '../container/metadata.ts';
import type { Container } from '../container/types.ts';
import { sandboxName } from '../sandbox/metadata.ts';
import type { Sandbox } from '../sandbox/types.ts';
import type { Daemon } from '../server/types.ts';
import { unknownContainer, unknownSandbox } from './unreadable.ts';

/** What the daemon before had begun and not finished. */
export interface Half {
	/** Never published: to be taken back. */
	readonly sandboxes: readonly Sandbox[];
	readonly containers: readonly Container[];
	/** Published, and their removal begun. */
	readonly removingSandboxes: readonly string[];
	readonly removingContainers: readonly string[];
}

/** Reads every record and publishes what was published before. What cannot be read is published as UNKNOWN. */
export async function readObjects(daemon: Daemon): Promise<Half> {
	const [sandboxes, containers] = await Promise.all([readSandboxes(daemon), readContainers(daemon)]);
	return { ...sandboxes, ...containers };
}

async function readSandboxes({
	sandboxes,
	log,
}: Daemon): Promise<Pick<Half, 'sandboxes' | 'removingSandboxes'>> {
	const { records, unreadable } = await sandboxes.records.readAll();
	for (const { id, phase, value } of inOrder(records)) {
		if (phase !== 'made') sandboxes.halfDone.set(id, Promise.withResolvers());
		if (phase === 'making') {
			sandboxes.unpublished.set(id, value.metadata);
			continue;
		}
		sandboxes.add(value);
		const { metadata } = value.metadata.config;
		if (metadata !== null && phase === 'made') sandboxes.names.hold(sandboxName(metadata), id);
	}
	for (const record of unreadable) {
		log.error('a sandbox is UNKNOWN and can only be removed', { sandbox: record.id, why: record.why });
		sandboxes.add(await unknownSandbox(record, sandboxes.records.folderOf(record.id)));
	}
	return {
		sandboxes: records.filter(({ phase }) => phase === 'making').map(({ value }) => value),
		removingSandboxes: records.filter(({ phase }) => phase === 'removing').map(({ id }) => id),
	};
}

async function readContainers({
	containers,
	log,
}: Daemon): Promise<Pick<Half, 'containers' | 'removingContainers'>> {
	const { records, unreadable } = await containers.records.readAll();
	for (const { id, phase, value } of inOrder(records)) {
		if (phase === 'making') continue;
		containers.add(value);
		const { metadata } = value.metadata.config;
		if (metadata !== null && phase === 'made')
			containers.names.hold(containerName(value.metadata.sandboxId, metadata), id);
	}
	for (const record of unreadable) {
		log.error('a container is UNKNOWN and can only be removed', { container: record.id, why: record.why });
		containers.add(await unknownContainer(record, containers.records.folderOf(record.id)));
	}
	return {
		containers: records.filter(({ phase }) => phase === 'making').map(({ value }) => value),
		removingContainers: records.filter(({ phase }) => phase === 'removing').map(({ id }) => id),
	};
}

/** In the order of their creation, which is the order of lists. */
function inOrder<T extends { readonly value: { readonly metadata: { readonly createdAtNs: bigint } } }>(
	records: readonly T[],
): readonly T[] {
	return records.toSorted(({ value: one }, { value: other }) =>
		one.metadata.createdAtNs < other.metadata.createdAtNs ? -1 : 1,
	);
}
