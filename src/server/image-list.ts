import { imageOf } from './image-spec.ts';
import { toCriImage } from './image-to-cri.ts';
import type { UnaryHandler } from './types.ts';

/** ListImages: all, or the one that the filter names. */
export const listImages: UnaryHandler<'ListImages'> = (daemon, request) => {
	const wanted = request.filter?.image?.image ?? '';
	if (wanted !== '') imageOf(request.filter?.image ?? null, 'list the image');
	const found = wanted === '' ? daemon.images.list() : [daemon.images.find(wanted)];
	return { images: found.filter((image) => image !== undefined).map(toCriImage) };
};
