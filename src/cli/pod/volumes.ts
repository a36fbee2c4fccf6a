import { chmod, chown, lstat, mkdir, open, realpath, stat } from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path';
import type {
	V1Container,
	V1HostPathVolumeSource,
	V1Pod,
	V1Volume,
	V1VolumeMount,
} from '@kubernetes/client-node';
import { errnoOf, failedPrecondition, invalidArgument } from '#base/errors.ts';
import { isWithin } from '#base/paths.ts';
import { isTmpfs } from '#base/tmpfs.ts';
import type { MountInit, MountPropagation } from '#cri-api';
import type { PodFolders } from './folders.ts';
import type { PodImages } from './images.ts';

/** A folder or file on the node, or an image by what CreateContainer takes. */
export type Volume = { readonly path: string } | { readonly image: string; readonly reference: string };

/** By the names of the volumes. */
export type Volumes = ReadonlyMap<string, Volume>;

/** Makes the pod's volumes and checks those of the node. `refs`: its images, as `ensureImages` gives them. */
export async function prepareVolumes(
	pod: V1Pod,
	folders: PodFolders,
	refs: PodImages['refs'],
): Promise<Volumes> {
	const volumes = new Map<string, Volume>();
	for (const [index, volume] of (pod.spec?.volumes ?? []).entries()) {
		const { reference } = volume.image ?? {};
		volumes.set(
			volume.name,
			reference === undefined
				? { path: await prepare(volume, pod, folders, `spec.volumes[${index}]`) }
				: { image: refs.get(reference) ?? '', reference },
		);
	}
	return volumes;
}

async function prepare(volume: V1Volume, pod: V1Pod, folders: PodFolders, path: string): Promise<string> {
	if (volume.hostPath !== undefined) return await checkHostPath(volume.hostPath, `${path}.hostPath`);
	const memory = volume.emptyDir?.medium === 'Memory';
	const folder = join(memory ? folders.memory : folders.disk, 'volumes', volume.name);
	await mkdir(folder, { recursive: true });
	if (memory) await requireTmpfs(folder, `${path}.emptyDir.medium`);
	await giveTo(folder, pod.spec?.securityContext?.fsGroup);
	return folder;
}

/** World-writable as the kubelet makes it; with fsGroup, that group's, and of everything made in it. */
async function giveTo(folder: string, fsGroup: number | undefined): Promise<void> {
	if (fsGroup !== undefined) await chown(folder, -1, fsGroup);
	await chmod(folder, fsGroup === undefined ? 0o777 : 0o2777);
}

async function requireTmpfs(folder: string, path: string): Promise<void> {
	if (await isTmpfs(folder)) return;
	throw failedPrecondition(
		`${path}: memory volumes lie in the daemon's state folder, and ${folder} is not on a tmpfs; start gantryd with --state on one`,
	);
}

type Kind = 'Directory' | 'File' | 'Socket' | 'CharDevice' | 'BlockDevice';

/** hostPath with its type: what must be there, and what is made when missing. */
export async function checkHostPath(source: V1HostPathVolumeSource, path: string): Promise<string> {
	const target = source.path;
	const type = source.type ?? '';
	if (!target.startsWith('/') || normalize(target).split('/').includes('..'))
		throw invalidArgument(`${path}.path: ${target} must be absolute, without ".."`);
	if (type === '') return target;
	if (type === 'DirectoryOrCreate') await mkdir(target, { recursive: true, mode: 0o755 });
	if (type === 'FileOrCreate') await createFile(target);
	const wanted = type.replace(/OrCreate$/, '');
	const found = await kindOf(target);
	if (found === wanted) return target;
	if (!['Directory', 'File', 'Socket', 'CharDevice', 'BlockDevice'].includes(wanted))
		throw invalidArgument(`${path}.type: ${type} is no type of a hostPath`);
	throw failedPrecondition(
		`${path}: ${target} must be a ${wanted}, but ${found === undefined ? 'does not exist' : `is a ${found}`}`,
	);
}

async function createFile(target: string): Promise<void> {
	await mkdir(dirname(target), { recursive: true, mode: 0o755 });
	if ((await kindOf(target)) === undefined) await (await open(target, 'a', 0o644)).close();
}

async function kindOf(target: string): Promise<Kind | undefined> {
	try {
		const info = await stat(target);
		if (info.isDirectory()) return 'Directory';
		if (info.isSocket()) return 'Socket';
		if (info.isCharacterDevice()) return 'CharDevice';
		return info.isBlockDevice() ? 'BlockDevice' : 'File';
	} catch (error) {
		if (errnoOf(error) === 'ENOENT') return undefined;
		throw error;
	}
}

/** The mounts of one container, in the manifest's order. */
export async function mountsOf(
	container: V1Container,
	volumes: Volumes,
	path: string,
): Promise<readonly MountInit[]> {
	const mounts: MountInit[] = [];
	for (const [index, mount] of (container.volumeMounts ?? []).entries()) {
		mounts.push(
			await toMount(mount, volumes.get(mount.name) ?? { path: '' }, `${path}.volumeMounts[${index}]`),
		);
	}
	return mounts;
}

const PROPAGATIONS: Readonly<Record<string, MountPropagation>> = {
	None: 'PROPAGATION_PRIVATE',
	HostToContainer: 'PROPAGATION_HOST_TO_CONTAINER',
	Bidirectional: 'PROPAGATION_BIDIRECTIONAL',
};

async function toMount(mount: V1VolumeMount, volume: Volume, path: string): Promise<MountInit> {
	const propagation = PROPAGATIONS[mount.mountPropagation ?? 'None'];
	if (propagation === undefined)
		throw invalidArgument(
			`${path}.mountPropagation: ${mount.mountPropagation} is none of ${Object.keys(PROPAGATIONS).join(', ')}`,
		);
	const subPath = mount.subPath ?? '';
	checkSubPath(subPath, `${path}.subPath`);
	if ('image' in volume) return imageMount(mount, volume);
	return {
		container_path: mount.mountPath,
		host_path: await withSubPath(volume.path, subPath, `${path}.subPath`),
		readonly: mount.readOnly ?? false,
		recursive_read_only: mount.recursiveReadOnly === 'Enabled' || mount.recursiveReadOnly === 'IfPossible',
		propagation,
	};
}

/** Read-only whatever the manifest says, as the kubelet has it. */
function imageMount(
	{ mountPath, subPath }: V1VolumeMount,
	{ image, reference }: Extract<Volume, { image: string }>,
): MountInit {
	return {
		container_path: mountPath,
		image: { image, user_specified_image: reference },
		image_sub_path: subPath ?? '',
		readonly: true,
	};
}

function checkSubPath(subPath: string, path: string): void {
	if (subPath.startsWith('/') || subPath.split('/').includes('..'))
		throw invalidArgument(`${path}: ${subPath} must be relative, without ".."`);
}

/** A folder or file inside the volume; folders are made when missing. Never outside, whatever links lie in the volume. */
async function withSubPath(volume: string, subPath: string, path: string): Promise<string> {
	if (subPath === '') return volume;
	const base = await realpath(volume);
	let at = base;
	for (const part of subPath.split('/').filter((one) => one !== '' && one !== '.')) {
		at = join(at, part);
		if ((await lstat(at).catch(() => undefined)) === undefined) await mkdir(at);
		at = await realpath(at);
		if (!isWithin(at, base))
			throw failedPrecondition(`${path}: ${subPath} leads out of its volume, to ${at}`);
	}
	return at;
}
