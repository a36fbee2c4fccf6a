import { messageOf } from '#base/errors.ts';
import type { Daemon } from '../server/types.ts';

/** A container whose lease was lost gets it again, so that nobody removes the layers that it runs on. */
export async function renewLeases({ images, containers, log }: Daemon): Promise<void> {
	const holders = new Set(images.holders().map(({ holder }) => holder));
	const without = containers.list().filter(({ metadata }) => !holders.has(metadata.id));
	for (const { metadata } of without.filter(({ metadata }) => metadata.image.id !== '')) {
		const { id, image } = metadata;
		try {
			await images.lease(image.id, id);
			log.warn('the image lease of a container was lost and is renewed', { container: id, image: image.id });
		} catch (error) {
			log.warn('the image of a container is lost', { container: id, error: messageOf(error) });
		}
	}
}
