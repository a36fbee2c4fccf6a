import { messageOf } from '#base/errors.ts';
import { imageHolder } from '../container/lease-holder.ts';
import type { ContainerMetadata } from '../container/types.ts';
import type { Daemon } from '../server/types.ts';

/** A container whose lease was lost gets it again, so that nobody removes the layers that it runs on. */
export async function renewLeases({ images, containers, log }: Daemon): Promise<void> {
	const holders = new Set(images.holders().map(({ holder }) => holder));
	const wanted = containers
		.list()
		.flatMap(({ metadata }) => leasesOf(metadata).map((lease) => ({ ...lease, container: metadata.id })));
	for (const { container, image, holder } of wanted) {
		if (holders.has(holder)) continue;
		try {
			await images.lease(image, holder);
			log.warn('the image lease of a container was lost and is renewed', { container, image });
		} catch (error) {
			log.warn('the image of a container is lost', { container, error: messageOf(error) });
		}
	}
}

/** Every lease that a container has; none when its record was lost. */
function leasesOf({
	id,
	image,
	imageVolumes = [],
}: ContainerMetadata): readonly { readonly image: string; readonly holder: string }[] {
	if (image.id === '') return [];
	return [
		{ image: image.id, holder: id },
		...imageVolumes.map(({ imageId }) => ({ image: imageId, holder: imageHolder(id, imageId) })),
	];
}
