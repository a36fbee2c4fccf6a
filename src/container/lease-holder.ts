/** Under which names containers hold images: their own by the id, those of volumes by id and image. */
const SEPARATOR = '/image-volume/';

export const imageHolder = (containerId: string, imageId: string): string =>
	`${containerId}${SEPARATOR}${imageId}`;

/** The container that a lease belongs to. */
export function containerOfHolder(holder: string): string {
	const end = holder.indexOf(SEPARATOR);
	return end < 0 ? holder : holder.slice(0, end);
}
