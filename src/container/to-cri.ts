import type { ContainerInit, ContainerStatusInit, ImageSpecInit } from '#cri-api';
import { criSignal } from './stop-signal.ts';
import { type Container, type ContainerMetadata, stateOf } from './types.ts';

/** The entry of ListContainers. */
export function containerToCri({ metadata, status }: Container): ContainerInit {
	return {
		id: metadata.id,
		pod_sandbox_id: metadata.sandboxId,
		metadata: metadata.config.metadata,
		image: imageSpec(metadata),
		image_ref: metadata.image.ref,
		image_id: metadata.image.id,
		state: stateOf(status),
		created_at: metadata.createdAtNs,
		labels: metadata.config.labels,
		annotations: metadata.config.annotations,
	};
}

/** The status of ContainerStatus, PodSandboxStatus and events. */
export function containerStatusToCri({ metadata, status }: Container): ContainerStatusInit {
	const { uid, gid, supplementalGroups } = metadata.user;
	return {
		id: metadata.id,
		metadata: metadata.config.metadata,
		state: stateOf(status),
		created_at: metadata.createdAtNs,
		started_at: status.startedAtNs ?? 0n,
		finished_at: status.finishedAtNs ?? 0n,
		exit_code: status.exitCode,
		image: imageSpec(metadata),
		image_ref: metadata.image.ref,
		image_id: metadata.image.id,
		reason: status.reason,
		message: status.message,
		labels: metadata.config.labels,
		annotations: metadata.config.annotations,
		mounts: mountsOf(metadata),
		log_path: metadata.logPath,
		resources: { linux: status.resources },
		user: { linux: { uid, gid, supplemental_groups: supplementalGroups } },
		stop_signal: criSignal(metadata.stopSignal),
	};
}

/** As they were asked for; a volume from an image with that one's id (ImageSpec.image_ref). */
function mountsOf({ config, imageVolumes = [] }: ContainerMetadata): ContainerStatusInit['mounts'] {
	const refs = new Map(imageVolumes.map(({ index, imageId }) => [index, imageId]));
	return config.mounts.map((mount, index) => {
		const image_ref = refs.get(index);
		return mount.image === null || image_ref === undefined
			? mount
			: { ...mount, image: { ...mount.image, image_ref } };
	});
}

/** The image by the name that the user gave it. */
function imageSpec({ config, image }: ContainerMetadata): ImageSpecInit {
	return {
		image: image.userReference,
		annotations: config.image?.annotations ?? {},
		user_specified_image: config.image?.user_specified_image ?? '',
		runtime_handler: config.image?.runtime_handler ?? '',
	};
}
