import { sandboxStatsEntries } from './sandbox-stats-list.ts';
import type { StreamHandler } from './types.ts';

/** StreamPodSandboxStats: ListPodSandboxStats in pieces. */
export const streamPodSandboxStats: StreamHandler<'StreamPodSandboxStats'> = async function* (
	daemon,
	{ filter },
) {
	yield { pod_sandbox_stats: await sandboxStatsEntries(daemon, filter) };
};
