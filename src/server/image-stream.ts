import { imageEntries } from './image-list.ts';
import type { StreamHandler } from './types.ts';

/** StreamImages: ListImages in pieces; all of them are from the same instant. */
export const streamImages: StreamHandler<'StreamImages'> = async function* (daemon, { filter }) {
	yield { images: imageEntries(daemon, filter) };
};
