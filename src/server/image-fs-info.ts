import type { FilesystemUsageInit } from '#cri-api';
import type { UnaryHandler } from './types.ts';

/** ImageFsInfo: what images use, and what the writable layers of containers use. */
export const imageFsInfo: UnaryHandler<'ImageFsInfo'> = async (daemon) => {
	const [images, containers] = await Promise.all([daemon.images.usage(), daemon.stats.allLayers()]);
	const timestamp = BigInt(Date.now()) * 1_000_000n;
	return {
		image_filesystems: images.map(
			({ path, usedBytes, usedInodes }): FilesystemUsageInit => ({
				timestamp,
				fs_id: { mountpoint: path },
				used_bytes: { value: usedBytes },
				inodes_used: { value: usedInodes },
			}),
		),
		container_filesystems: [containers],
	};
};
