import { invalidArgument } from '#base/errors.ts';
import type { ImageSpec } from '#cri-api';
import { RUNTIME_HANDLERS } from './status.ts';

/** The image that a request names. INVALID_ARGUMENT when it names none, or a runtime handler that has images of its own. */
export function imageOf(spec: ImageSpec | null, verb: string): string {
	const image = spec?.image ?? '';
	if (image === '') throw invalidArgument(`Cannot ${verb}: the request names no image`);
	const handler = spec?.runtime_handler ?? '';
	if (!RUNTIME_HANDLERS.includes(handler))
		throw invalidArgument(
			`Cannot ${verb} ${image}: there is no runtime handler "${handler}"; leave it empty`,
		);
	return image;
}
