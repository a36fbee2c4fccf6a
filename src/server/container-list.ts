import { matchesContainer } from '../container/filter.ts';
import { containerToCri } from '../container/to-cri.ts';
import type { UnaryHandler } from './types.ts';

/** The newest first, as people expect it. */
export const listContainers: UnaryHandler<'ListContainers'> = ({ containers }, { filter }) => ({
	containers: containers
		.list()
		.filter((container) => matchesContainer(filter, container))
		.toReversed()
		.map(containerToCri),
});
