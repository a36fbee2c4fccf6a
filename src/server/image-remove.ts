import { imageOf } from './image-spec.ts';
import type { UnaryHandler } from './types.ts';

/** RemoveImage. Removing what is not here is fine; FAILED_PRECONDITION while a container needs it. */
export const removeImage: UnaryHandler<'RemoveImage'> = async (daemon, request) => {
	await daemon.images.remove(imageOf(request.image, 'remove the image'));
	return {};
};
