import type { Image } from '#images';
import { imageOf } from './image-spec.ts';
import { toCriImage, toOciImageConfig } from './image-to-cri.ts';
import type { UnaryHandler } from './types.ts';

/** ImageStatus. An image that is not here is no error: the answer is empty. */
export const imageStatus: UnaryHandler<'ImageStatus'> = (daemon, request) => {
	const image = daemon.images.find(imageOf(request.image, 'show the image'));
	if (image === undefined) return { image: null };
	return { image: toCriImage(image), info: request.verbose ? { info: JSON.stringify(details(image)) } : {} };
};

function details(image: Image): object {
	return {
		imageSpec: toOciImageConfig(image.config),
		manifestDigest: image.manifestDigest,
		chainIds: image.chainIds,
		annotations: image.annotations,
	};
}
