import { perObject } from '#base/per-object.ts';
import { matchesSandbox } from '../sandbox/filter.ts';
import { sandboxToCri } from '../sandbox/to-cri.ts';
import type { UnaryHandler } from './types.ts';

/** A sandbox is replaced when it changes. */
const entryOf = perObject(sandboxToCri);

/** The newest first, as people expect it. */
export const listPodSandbox: UnaryHandler<'ListPodSandbox'> = ({ sandboxes }, { filter }) => ({
	items: sandboxes
		.list()
		.filter((sandbox) => matchesSandbox(filter, sandbox))
		.toReversed()
		.map(entryOf),
});
