import type { ImageInit } from '#cri-api';
import type { Image, ImageConfig } from '#images';

export function toCriImage(image: Image): ImageInit {
	return {
		id: image.id,
		repo_tags: image.repoTags,
		repo_digests: image.repoDigests,
		size: image.sizeBytes,
		...userOf(image.config.user),
		spec: { image: '', annotations: image.annotations },
		pinned: image.pinned,
	};
}

/** Either the number or the name in front of `:group`; the kubelet checks runAsNonRoot by it. */
function userOf(configured: string): Pick<ImageInit, 'uid' | 'username'> {
	const user = configured.split(':')[0] ?? '';
	if (user === '') return {};
	return /^\d+$/.test(user) ? { uid: { value: user } } : { username: user };
}

/** The configuration in the form of the OCI image specification, as far as it is kept. */
export function toOciImageConfig(config: ImageConfig): object {
	return {
		...(config.createdAt !== undefined && { created: config.createdAt }),
		architecture: config.architecture,
		os: config.os,
		config: {
			User: config.user,
			Env: config.env,
			Entrypoint: config.entrypoint,
			Cmd: config.command,
			WorkingDir: config.workingDir,
			StopSignal: config.stopSignal,
			Volumes: Object.fromEntries(config.volumes.map((volume) => [volume, {}])),
			Labels: config.labels,
		},
		rootfs: { type: 'layers', diff_ids: config.diffIds },
	};
}
