import { join, posix } from 'node:path';
import { failedPrecondition, invalidArgument, notFound, type StatusErrorOptions } from '#base/errors.ts';
import type { Mount } from '#cri-api';
import type { Image } from '#images';
import type { CreateOptions, OciIdMapping } from '#runtime';
import { idMappings } from '../sandbox/namespaces.ts';
import type { Daemon } from '../server/types.ts';
import type { ImageMount, PodNamespaces } from '../spec/input.ts';
import { imageHolder } from './lease-holder.ts';
import type { ContainerMetadata } from './types.ts';

/** An image that is mounted as a volume (CRI Mount.image, KEP-4639), found on this node. */
export interface ImageVolume {
	/** Index in config.mounts. */
	readonly index: number;
	readonly mount: Mount;
	readonly image: Image;
}

/** Kubelets look for this reason. */
const FAILED: StatusErrorOptions = { reason: 'ImageVolumeMountFailed' };

/** Path in the container, as mounts name it. */
export const destinationOf = ({ container_path }: Mount): string =>
	posix.normalize(container_path).replace(/\/$/, '');

/** The images of the mounts that name one. NOT_FOUND for one that is not on this node. */
export function findImageVolumes({ images }: Daemon, mounts: readonly Mount[]): readonly ImageVolume[] {
	return mounts.flatMap((mount, index) => {
		if (mount.image === null) return [];
		const image = images.find(mount.image.image);
		if (image !== undefined) return [{ index, mount, image }];
		throw notFound(
			`Image ${mount.image.image} of mounts[${index}] is not on this node; pull it first`,
			FAILED,
		);
	});
}

/** What a mount of an image must not say beside it. INVALID_ARGUMENT. */
export function checkImageMount(field: string, mount: Mount): void {
	if (mount.image === null) {
		if (mount.image_sub_path !== '')
			throw invalidArgument(`${field}.image_sub_path is given without an image`);
		return;
	}
	if (mount.image.image === '') throw invalidArgument(`${field}.image.image is empty`);
	if (!mount.readonly) throw invalidArgument(`${field}.readonly is false, but images cannot be written`);
	if (mount.host_path !== '')
		throw invalidArgument(`${field} has both host_path and image; give one of them`);
	if (mount.propagation !== 'PROPAGATION_PRIVATE') {
		throw invalidArgument(
			`${field}.propagation is ${mount.propagation}, but nothing is ever mounted in an image`,
		);
	}
	if (mount.image_sub_path.includes('\0'))
		throw invalidArgument(`${field}.image_sub_path has a NUL character in it`);
	if (mount.image_sub_path.startsWith('/') || mount.image_sub_path.split('/').includes('..')) {
		throw invalidArgument(
			`${field}.image_sub_path ${JSON.stringify(mount.image_sub_path)} is not a path below the root of the image`,
		);
	}
}

/** The image layers of a pod are idmapped as the pod is: other ids cannot be had. */
export function checkImageMaps(volumes: readonly ImageVolume[], { user }: PodNamespaces): void {
	for (const { index, mount } of volumes) {
		if (mount.uidMappings.length === 0 && mount.gidMappings.length === 0) continue;
		const field = `mounts[${index}]`;
		const same =
			user !== undefined &&
			sameMaps(idMappings(`${field}.uidMappings`, mount.uidMappings), user.uids) &&
			sameMaps(idMappings(`${field}.gidMappings`, mount.gidMappings), user.gids);
		if (same) continue;
		throw invalidArgument(
			`${field} has other uidMappings or gidMappings than the pod: an image is always seen with the ids of the pod`,
			FAILED,
		);
	}
}

const sameMaps = (one: readonly OciIdMapping[], other: readonly OciIdMapping[]): boolean =>
	JSON.stringify(one) === JSON.stringify(other);

/** Holds the layers of the images until the container is removed. */
export async function leaseImageVolumes(
	{ images }: Daemon,
	{ id, imageVolumes = [] }: ContainerMetadata,
): Promise<void> {
	await Promise.all(imageVolumes.map(({ imageId }) => images.lease(imageId, imageHolder(id, imageId))));
}

/** The mounts, their folders looked for in the images. FAILED_PRECONDITION for a sub-path that is no folder there. */
export async function resolveImageVolumes(
	{ images, containers }: Daemon,
	volumes: readonly ImageVolume[],
): Promise<readonly ImageMount[]> {
	return await Promise.all(
		volumes.map(async ({ index, mount, image }): Promise<ImageMount> => {
			const lowers = images.layersOf(image.id);
			const subPath = posix.normalize(mount.image_sub_path || '.').replace(/\/$/, '');
			const found = await containers.imageTrees.of(lowers).find(subPath);
			if (found === undefined || !found.stats.isDirectory()) {
				const what = found === undefined ? 'has no' : 'is mounted by folders, and no folder is';
				throw failedPrecondition(
					`mounts[${index}].image_sub_path: image ${mount.image?.image} ${what} ${mount.image_sub_path}`,
					FAILED,
				);
			}
			return {
				destination: destinationOf(mount),
				lowers,
				subPath: subPath === '.' ? '' : subPath,
				options: mount.mount_options,
			};
		}),
	);
}

/** Name of an empty folder beside the writable layer: the kernel makes no overlay of one layer alone. */
const NOTHING = 'nothing';

/** What the runtime needs to mount them. */
export function imageMountOptions(
	mounts: readonly ImageMount[],
	layerFolder: string,
): Pick<CreateOptions, 'images'> & { readonly folders: NonNullable<CreateOptions['folders']> } {
	const nothing = join(layerFolder, NOTHING);
	return {
		images: Object.fromEntries(
			mounts.map(({ destination, lowers, subPath }) => [
				destination,
				{ lowers: lowers.length > 1 ? lowers : [...lowers, nothing], subPath },
			]),
		),
		folders: mounts.some(({ lowers }) => lowers.length === 1)
			? [{ path: nothing, mode: 0o755, uid: 0, gid: 0 }]
			: [],
	};
}
