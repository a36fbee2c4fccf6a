import { stat } from 'node:fs/promises';
import { errnoOf, invalidArgument, notFound } from '#base/errors.ts';
import type { ContainerConfig, CreateContainerRequest } from '#cri-api';
import { createContainer } from '../container/create-container.ts';
import type { Call, Daemon } from '../server/types.ts';
import { Deadline } from './deadline.ts';
import {
	readArchived,
	readContainer,
	readOrigin,
	type SavedContainer,
	type SavedOrigin,
} from './documents.ts';
import { checkNoNewMounts, checkSamePrivileged } from './same-protection.ts';
import { trustedPlace } from './trusted.ts';

/** The convention of other runtimes: an image that is an absolute path is the checkpoint of a container. */
export const isFromCheckpoint = ({ config }: CreateContainerRequest): boolean =>
	config?.image?.image.startsWith('/') ?? false;

/**
 * CreateContainer with the processes that CheckpointContainer saved, as an archive or a folder: CREATED, and they go on
 * when it is started. Its image is the one that they were made from, the rest is what the config says.
 */
export async function restoreContainer(
	daemon: Daemon,
	request: CreateContainerRequest,
	call: Call,
): Promise<string> {
	const { config } = request;
	if (config === null) throw invalidArgument('config is missing');
	const given = config.image?.image ?? '';
	const criu = await daemon.criu.require(`restore a container from ${given}`);
	const path = await trustedPlace('config.image.image', given);
	const isArchive = await isFile(path);
	const { saved, origin } = await documentsAt(daemon, path, isArchive);
	checkSamePrivileged(saved.config, config);
	checkNoNewMounts(saved.config, config);
	const wanted = { ...request, config: withImage(daemon, config, origin) };
	const { surroundings } = saved;
	return await createContainer(daemon, wanted, call, { criu, path, isArchive, surroundings, alone: true });
}

async function isFile(path: string): Promise<boolean> {
	const found = await stat(path).catch((error: unknown) => {
		throw invalidArgument(`config.image.image: cannot read ${path}: ${errnoOf(error)}`, { cause: error });
	});
	return found.isFile();
}

async function documentsAt(
	{ launcher, config }: Daemon,
	path: string,
	isArchive: boolean,
): Promise<{ readonly saved: SavedContainer; readonly origin: SavedOrigin }> {
	if (isArchive) return await readArchived(launcher, path, new Deadline(`read ${path}`, 0n, config));
	return { saved: await readContainer(path), origin: await readOrigin(path) };
}

/** The image that the processes were made from, in the place of the path; the path stays what the user asked for. */
function withImage({ images }: Daemon, config: ContainerConfig, origin: SavedOrigin): ContainerConfig {
	const { image } = config;
	const { rootfsImage, rootfsImageName } = origin;
	const found = images.find(rootfsImage);
	if (found === undefined || image === null)
		throw notFound(
			`Image ${rootfsImageName} (${rootfsImage}), which the container of ${image?.image} was made from, is not on this node; pull it first`,
		);
	const user_specified_image = image.user_specified_image || image.image;
	return { ...config, image: { ...image, image: found.id, user_specified_image } };
}
