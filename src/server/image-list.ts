import { perObject } from '#base/per-object.ts';
import type { ImageFilter, ImageInit } from '#cri-api';
import { imageOf } from './image-spec.ts';
import { toCriImage } from './image-to-cri.ts';
import type { Daemon, UnaryHandler } from './types.ts';

/** An image is replaced when it changes. */
const entryOf = perObject(toCriImage);

/** All images at this instant, or the one that the filter names. */
export function imageEntries({ images }: Daemon, filter: ImageFilter | null): ImageInit[] {
	const wanted = filter?.image?.image ?? '';
	if (wanted !== '') imageOf(filter?.image ?? null, 'list the image');
	const found = wanted === '' ? images.list() : [images.find(wanted)];
	return found.filter((image) => image !== undefined).map(entryOf);
}

export const listImages: UnaryHandler<'ListImages'> = (daemon, { filter }) => ({
	images: imageEntries(daemon, filter),
});
