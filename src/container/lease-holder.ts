import type { Daemon } from '../server/types.ts';

/** Under which names containers hold images: their own by the id, those of volumes by id and image. */
const SEPARATOR = '/image-volume/';

export const imageHolder = (containerId: string, imageId: string): string =>
	`${containerId}${SEPARATOR}${imageId}`;

/** The container that a lease belongs to. */
export function containerOfHolder(holder: string): string {
	const end = holder.indexOf(SEPARATOR);
	return end < 0 ? holder : holder.slice(0, end);
}

/** `container reader (0123456789abc) of pod tests/volumes`: what people know the holder of an image by. */
export function nameHolder(
	{ containers, sandboxes }: Pick<Daemon, 'containers' | 'sandboxes'>,
	holder: string,
): string {
	const id = containerOfHolder(holder);
	const container = containers.get(id);
	const as = holder === id ? '' : ', for a volume,';
	if (container === undefined) return `container ${id}${as}`;
	const { config, sandboxId } = container.metadata;
	const pod = sandboxes.get(sandboxId)?.metadata.config.metadata;
	const ofPod = pod ? `${pod.namespace}/${pod.name}` : sandboxId;
	return `container ${config.metadata?.name} (${id.slice(0, 13)}) of pod ${ofPod}${as}`;
}
