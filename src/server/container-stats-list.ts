import type { ContainerStatsFilter } from '#cri-api';
import type { Container } from '../container/types.ts';
import { selects } from './label-selector.ts';
import type { UnaryHandler } from './types.ts';

/** ListContainerStats: what the filter leaves, without containers that go away meanwhile. Ids may be abbreviated. */
export const listContainerStats: UnaryHandler<'ListContainerStats'> = async (daemon, request) => {
	const wanted = daemon.containers
		.list()
		.filter((container) => matchesStatsFilter(request.filter, container));
	return { stats: await daemon.stats.containers(wanted) };
};

export function matchesStatsFilter(filter: ContainerStatsFilter | null, { metadata }: Container): boolean {
	if (filter === null) return true;
	return (
		metadata.id.startsWith(filter.id) &&
		metadata.sandboxId.startsWith(filter.pod_sandbox_id) &&
		selects(filter.label_selector, metadata.config.labels)
	);
}
