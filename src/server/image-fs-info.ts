import type { FilesystemUsageInit } from '#cri-api';
import type { UnaryHandler } from './types.ts';

/** ImageFsInfo: what images use, and what the writable layers of containers use. */
export const imageFsInfo: UnaryHandler<'ImageFsInfo'> = async (daemon) => {
	const [images, containers] = await Promise.all([daemon.images.usage(), daemon.stats.allLayers()]);
	const imageFileSystem: FilesystemUsageInit = {
		timestamp: BigInt(Date.now()) * 1_000_000n,
		fs_id: { mountpoint: images.path },
		used_bytes: { value: images.usedBytes },
		inodes_used: { value: images.usedInodes },
	};
	return { image_filesystems: [imageFileSystem], container_filesystems: [containers] };
};
