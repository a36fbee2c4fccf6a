import { matchesSandbox } from '../sandbox/filter.ts';
import { sandboxToCri } from '../sandbox/to-cri.ts';
import type { UnaryHandler } from './types.ts';

/** The newest first, as people expect it. */
export const listPodSandbox: UnaryHandler<'ListPodSandbox'> = ({ sandboxes }, { filter }) => ({
	items: sandboxes
		.list()
		.filter((sandbox) => matchesSandbox(filter, sandbox))
		.toReversed()
		.map(sandboxToCri),
});
