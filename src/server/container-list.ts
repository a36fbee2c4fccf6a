import { perObject } from '#base/per-object.ts';
import { matchesContainer } from '../container/filter.ts';
import { containerToCri } from '../container/to-cri.ts';
import type { UnaryHandler } from './types.ts';

/** A container is replaced when it changes. */
const entryOf = perObject(containerToCri);

/** The newest first, as people expect it. */
export const listContainers: UnaryHandler<'ListContainers'> = ({ containers }, { filter }) => ({
	containers: containers
		.list()
		.filter((container) => matchesContainer(filter, container))
		.toReversed()
		.map(entryOf),
});
