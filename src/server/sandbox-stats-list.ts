import type { PodSandboxStatsFilter, PodSandboxStatsInit } from '#cri-api';
import type { Sandbox } from '../sandbox/types.ts';
import { selects } from './label-selector.ts';
import type { Daemon, UnaryHandler } from './types.ts';

/** What the filter leaves, without pods that go away meanwhile. Ids may be abbreviated. */
export async function sandboxStatsEntries(
	{ sandboxes, stats }: Daemon,
	filter: PodSandboxStatsFilter | null,
): Promise<readonly PodSandboxStatsInit[]> {
	return await stats.sandboxes(sandboxes.list().filter((sandbox) => matchesStatsFilter(filter, sandbox)));
}

export const listPodSandboxStats: UnaryHandler<'ListPodSandboxStats'> = async (daemon, { filter }) => ({
	stats: await sandboxStatsEntries(daemon, filter),
});

function matchesStatsFilter(filter: PodSandboxStatsFilter | null, { metadata }: Sandbox): boolean {
	if (filter === null) return true;
	return metadata.id.startsWith(filter.id) && selects(filter.label_selector, metadata.config.labels);
}
