import { perObject } from '#base/per-object.ts';
import type { PodSandboxFilter, PodSandboxInit } from '#cri-api';
import { matchesSandbox } from '../sandbox/filter.ts';
import { sandboxToCri } from '../sandbox/to-cri.ts';
import type { Daemon, UnaryHandler } from './types.ts';

/** A sandbox is replaced when it changes. */
const entryOf = perObject(sandboxToCri);

/** What the filter leaves, at this instant. The newest first, as people expect it. */
export function sandboxEntries({ sandboxes }: Daemon, filter: PodSandboxFilter | null): PodSandboxInit[] {
	return sandboxes
		.list()
		.filter((sandbox) => matchesSandbox(filter, sandbox))
		.toReversed()
		.map(entryOf);
}

export const listPodSandbox: UnaryHandler<'ListPodSandbox'> = (daemon, { filter }) => ({
	items: sandboxEntries(daemon, filter),
});
