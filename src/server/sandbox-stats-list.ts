import type { PodSandboxStatsFilter } from '#cri-api';
import type { Sandbox } from '../sandbox/types.ts';
import { selects } from './label-selector.ts';
import type { UnaryHandler } from './types.ts';

/** ListPodSandboxStats: what the filter leaves, without pods that go away meanwhile. Ids may be abbreviated. */
export const listPodSandboxStats: UnaryHandler<'ListPodSandboxStats'> = async (daemon, request) => {
	const wanted = daemon.sandboxes
		.list()
		.filter((sandbox) => matchesSandboxStatsFilter(request.filter, sandbox));
	return { stats: [...(await daemon.stats.sandboxes(wanted))] };
};

export function matchesSandboxStatsFilter(
	filter: PodSandboxStatsFilter | null,
	{ metadata }: Sandbox,
): boolean {
	if (filter === null) return true;
	return metadata.id.startsWith(filter.id) && selects(filter.label_selector, metadata.config.labels);
}
