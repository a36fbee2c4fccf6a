import { containerStatsEntries } from './container-stats-list.ts';
import type { StreamHandler } from './types.ts';

/** StreamContainerStats: ListContainerStats in pieces. */
export const streamContainerStats: StreamHandler<'StreamContainerStats'> = async function* (
	daemon,
	{ filter },
) {
	yield { container_stats: await containerStatsEntries(daemon, filter) };
};
