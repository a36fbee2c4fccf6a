import { perObject } from '#base/per-object.ts';
import type { ContainerFilter, ContainerInit } from '#cri-api';
import { matchesContainer } from '../container/filter.ts';
import { containerToCri } from '../container/to-cri.ts';
import type { Daemon, UnaryHandler } from './types.ts';

/** A container is replaced when it changes. */
const entryOf = perObject(containerToCri);

/** What the filter leaves, at this instant. The newest first, as people expect it. */
export function containerEntries({ containers }: Daemon, filter: ContainerFilter | null): ContainerInit[] {
	return containers
		.list()
		.filter((container) => matchesContainer(filter, container))
		.toReversed()
		.map(entryOf);
}

export const listContainers: UnaryHandler<'ListContainers'> = (daemon, { filter }) => ({
	containers: containerEntries(daemon, filter),
});
