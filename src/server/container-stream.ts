import { containerEntries } from './container-list.ts';
import type { StreamHandler } from './types.ts';

/** StreamContainers: ListContainers in pieces; all of them are from the same instant. */
export const streamContainers: StreamHandler<'StreamContainers'> = async function* (daemon, { filter }) {
	yield { containers: containerEntries(daemon, filter) };
};
