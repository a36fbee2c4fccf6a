import { join } from 'node:path';
import { invalidArgument } from '#base/errors.ts';
import { resolveEdits } from '../cdi/edits.ts';
import { sandboxHostname } from '../sandbox/hostname.ts';
import { podNamespaces } from '../sandbox/namespaces.ts';
import type { Daemon } from '../server/types.ts';
import type { ContainerSpecInput, PodNamespaces, ResolvedDevice, ResolvedUser } from '../spec/input.ts';
import { containerCapabilities, withheldCapabilities } from '../spec/with-capabilities.ts';
import type { ContainerRequest } from './check-request.ts';
import { containerArgs } from './command.ts';
import { resolveDevices } from './devices.ts';
import type { ImageTree } from './image-tree.ts';
import { resolveImageVolumes } from './image-volumes.ts';
import { resolveMounts } from './mounts.ts';
import { pidNamespace } from './pid-namespace.ts';
import { appArmorChoice } from './profile-choice.ts';
import { seccompProfile } from './security-profile.ts';
import { seLinuxLabels } from './selinux.ts';
import { stateOf } from './types.ts';
import { checkUserMapped, resolveUser } from './users.ts';
import type { Volume } from './volumes.ts';

/** Gathers what a container's spec follows from: all that needs the node or the image's files. */
export async function containerSpecInput(
	daemon: Daemon,
	request: ContainerRequest,
	made: {
		readonly id: string;
		readonly cgroupsPath: string;
		readonly tree: ImageTree;
		readonly volumes: readonly Volume[];
	},
): Promise<ContainerSpecInput> {
	const { config, security, privileged, image, sandbox } = request;
	const { host } = daemon.containers;
	const defaults = daemon.config.runtime;
	const namespaces = podNamespaces(sandbox.metadata.config.linux?.security_context?.namespace_options);
	const capabilities = containerCapabilities({ privileged, security, host, defaults });
	daemon.containers.withheld.say(made.id, withheldCapabilities({ privileged, security, host, defaults }));
	const [found, mounts, images, requested, cdi, seccomp, appArmorProfile] = await Promise.all([
		resolveUser(security, image.config.user, made.tree),
		resolveMounts(config.mounts),
		resolveImageVolumes(daemon, request.imageVolumes),
		resolveDevices(config.devices, privileged && !defaults.privilegedWithoutHostDevices),
		daemon.containers.cdi.editsFor(request.cdiDevices, defaults.cdiSpecDirs).then(resolveEdits),
		privileged
			? undefined
			: seccompProfile(security?.seccomp, security?.seccomp_profile_path, {
					defaultPath: defaults.seccompProfile,
					capabilities,
				}),
		privileged
			? undefined
			: daemon.appArmor.containerProfile(appArmorChoice(security?.apparmor, security?.apparmor_profile)),
	]);
	const user = { ...found, groups: [...new Set([...found.groups, ...cdi.groups])] };
	checkUserMapped(user, namespaces.user);
	return {
		id: made.id,
		config,
		security,
		privileged,
		image: image.config,
		user,
		args: containerArgs(config, image.config),
		mounts,
		images,
		volumes: made.volumes,
		devices: withCdiDevices(requested, cdi.devices, user),
		edits: cdi.edits,
		seccomp,
		appArmorProfile,
		seLinux: seLinuxLabels(security?.selinux_options, host, privileged),
		pid: pidNamespace(security?.namespace_options, {
			sandboxId: sandbox.metadata.id,
			namespaces,
			target: (id) => targetOf(daemon, sandbox.metadata.id, id),
		}),
		sandbox: sandboxPart(daemon, request, namespaces),
		cgroupsPath: made.cgroupsPath,
		host,
		defaults,
	};
}

/** CDI: a node takes the place of others at its path, and is the process's own unless the spec gives it to somebody. */
function withCdiDevices(
	requested: readonly ResolvedDevice[],
	ofCdi: readonly ResolvedDevice[],
	{ uid, gid }: ResolvedUser,
): readonly ResolvedDevice[] {
	const paths = new Set(ofCdi.map(({ path }) => path));
	return [
		...requested.filter(({ path }) => !paths.has(path)),
		...ofCdi.map((device) => ({ uid, gid, ...device })),
	];
}

function sandboxPart(
	{ sandboxes }: Daemon,
	{ sandbox }: ContainerRequest,
	namespaces: PodNamespaces,
): ContainerSpecInput['sandbox'] {
	const { metadata, status } = sandbox;
	return {
		id: metadata.id,
		filesFolder: sandboxes.filesOf(metadata.id),
		hostname: sandboxHostname(metadata),
		config: metadata.config,
		namespaces,
		pid: status.pause?.pid ?? 0,
	};
}

/** The container whose process namespace a debug container joins. */
function targetOf({ containers }: Daemon, sandboxId: string, id: string): string {
	const field = 'linux.security_context.namespace_options.target_id';
	if (id === '') throw invalidArgument(`${field} is empty, but pid is TARGET`);
	const target = containers.find(id);
	if (target === undefined || target.metadata.sandboxId !== sandboxId) {
		throw invalidArgument(`${field}: sandbox ${sandboxId} has no container ${id}`);
	}
	if (stateOf(target.status) !== 'CONTAINER_RUNNING')
		throw invalidArgument(`${field}: container ${target.metadata.id} does not run`);
	return target.metadata.id;
}

/** The folders that a container writes to: made before its process, owned by the root of its user namespace. */
export async function layerFolders(
	folder: string,
	tree: ImageTree,
	volumes: readonly Volume[],
	user: PodNamespaces['user'],
): Promise<
	readonly { readonly path: string; readonly mode: number; readonly uid: number; readonly gid: number }[]
> {
	const root = (await tree.find('/'))?.stats;
	const owned = (path: string, mode: number, uid: number, gid: number) => ({
		path,
		mode,
		uid: hostId(uid, user?.uids),
		gid: hostId(gid, user?.gids),
	});
	return [
		{ path: folder, mode: 0o711, uid: 0, gid: 0 },
		// The root of an overlay shows the owner and mode of its upper folder.
		owned(join(folder, 'upper'), (root?.mode ?? 0o755) & 0o7777, root?.uid ?? 0, root?.gid ?? 0),
		{ path: join(folder, 'work'), mode: 0o700, uid: 0, gid: 0 },
		...(volumes.length > 0 ? [{ path: join(folder, 'volumes'), mode: 0o711, uid: 0, gid: 0 }] : []),
		...volumes.map(({ source, mode, uid, gid }) => owned(source, mode, uid, gid)),
	];
}

/** The node's id for one of the container; an id that is not mapped belongs to nobody in there, as in every runtime. */
function hostId(id: number, maps: NonNullable<PodNamespaces['user']>['uids'] | undefined): number {
	if (maps === undefined) return id;
	const map = maps.find(({ containerID, size }) => id >= containerID && id < containerID + size) ?? maps[0];
	if (map === undefined) return id;
	return id >= map.containerID && id < map.containerID + map.size
		? map.hostID + (id - map.containerID)
		: map.hostID;
}
