import type { ContainerStatsFilter, ContainerStatsInit } from '#cri-api';
import type { Container } from '../container/types.ts';
import { selects } from './label-selector.ts';
import type { Daemon, UnaryHandler } from './types.ts';

/** What the filter leaves, without containers that go away meanwhile. Ids may be abbreviated. */
export async function containerStatsEntries(
	{ containers, stats }: Daemon,
	filter: ContainerStatsFilter | null,
): Promise<readonly ContainerStatsInit[]> {
	return await stats.containers(
		containers.list().filter((container) => matchesStatsFilter(filter, container)),
	);
}

export const listContainerStats: UnaryHandler<'ListContainerStats'> = async (daemon, { filter }) => ({
	stats: await containerStatsEntries(daemon, filter),
});

function matchesStatsFilter(filter: ContainerStatsFilter | null, { metadata }: Container): boolean {
	if (filter === null) return true;
	return (
		metadata.id.startsWith(filter.id) &&
		metadata.sandboxId.startsWith(filter.pod_sandbox_id) &&
		selects(filter.label_selector, metadata.config.labels)
	);
}
