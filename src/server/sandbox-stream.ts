import { sandboxEntries } from './sandbox-list.ts';
import type { StreamHandler } from './types.ts';

/** StreamPodSandboxes: ListPodSandbox in pieces; all of them are from the same instant. */
export const streamPodSandboxes: StreamHandler<'StreamPodSandboxes'> = async function* (daemon, { filter }) {
	yield { pod_sandboxes: sandboxEntries(daemon, filter) };
};
