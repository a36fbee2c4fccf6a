import { mkdir, realpath } from 'node:fs/promises';
import { posix } from 'node:path';
import {
	errnoOf,
	failedPrecondition,
	fromSystemError,
	invalidArgument,
	unimplemented,
} from '#base/errors.ts';
import type { IDMapping, Mount, MountPropagation } from '#cri-api';
import type { RuntimeFeatures } from '#runtime';
import { idMappings } from '../sandbox/namespaces.ts';
import type { ResolvedMount } from '../spec/input.ts';
import { checkImageMount, destinationOf } from './image-volumes.ts';
import { type HostMount, mountOf, readMounts } from './mount-table.ts';

const PROPAGATION: Readonly<Record<MountPropagation, string>> = {
	PROPAGATION_PRIVATE: 'rprivate',
	PROPAGATION_HOST_TO_CONTAINER: 'rslave',
	PROPAGATION_BIDIRECTIONAL: 'rshared',
};

/** What CRI names as `mount_options`. */
const EXTRA_OPTIONS = new Set(['noexec', 'nodev', 'nosuid']);

/**
 * INVALID_ARGUMENT or UNIMPLEMENTED for a mount that cannot be honoured whatever is on the node. `hasLabel`: the
 * container runs with an SELinux label, which volumes would have to get; without one there is nothing to change.
 */
export function checkMounts(mounts: readonly Mount[], hasLabel: boolean, features: RuntimeFeatures): void {
	for (const [index, mount] of mounts.entries()) {
		checkMount(`mounts[${index}]`, mount, features);
		if (mount.selinux_relabel && hasLabel) throw cannotRelabel(`mounts[${index}]`, mount);
	}
}

function cannotRelabel(field: string, { host_path }: Mount): Error {
	return unimplemented(
		`${field}.selinux_relabel: labels of volumes are not changed yet; label ${host_path} with chcon and leave it out`,
	);
}

function checkMount(field: string, mount: Mount, features: RuntimeFeatures): void {
	checkPath(`${field}.container_path`, mount.container_path);
	if (posix.normalize(mount.container_path) === '/')
		throw invalidArgument(`${field}.container_path is the root itself`);
	checkImageMount(field, mount);
	if (mount.image === null) checkPath(`${field}.host_path`, mount.host_path);
	const unknown = mount.mount_options.find((option) => !EXTRA_OPTIONS.has(option));
	if (unknown !== undefined) {
		throw invalidArgument(
			`${field}.mount_options has ${JSON.stringify(unknown)}, known are ${[...EXTRA_OPTIONS].join(', ')}`,
		);
	}
	checkIdMaps(field, mount, features);
	if (mount.recursive_read_only) checkRecursiveReadOnly(field, mount, features);
}

function checkIdMaps(field: string, mount: Mount, { idmappedMounts, kernel }: RuntimeFeatures): void {
	if (mount.uidMappings.length + mount.gidMappings.length === 0) return;
	if (mount.uidMappings.length === 0 || mount.gidMappings.length === 0)
		throw invalidArgument(`${field} has uidMappings or gidMappings without the other`);
	if (!idmappedMounts)
		throw failedPrecondition(`${field} has id mappings, but Linux ${kernel} cannot idmap mounts; 5.12 can`);
	idMappings(`${field}.uidMappings`, mount.uidMappings);
	idMappings(`${field}.gidMappings`, mount.gidMappings);
}

/** CRI, Mount.recursive_read_only: only together with readonly and private propagation. */
function checkRecursiveReadOnly(field: string, mount: Mount, features: RuntimeFeatures): void {
	if (!features.recursiveReadOnlyMounts) {
		throw failedPrecondition(
			`${field}.recursive_read_only cannot be had with Linux ${features.kernel}; 5.12 or newer can`,
			{ reason: 'RROUnsupported' },
		);
	}
	if (!mount.readonly) throw invalidArgument(`${field}.recursive_read_only needs readonly`);
	if (mount.propagation !== 'PROPAGATION_PRIVATE') {
		throw invalidArgument(`${field}.recursive_read_only needs propagation PROPAGATION_PRIVATE`);
	}
}

function checkPath(field: string, path: string): void {
	if (path === '') throw invalidArgument(`${field} is empty`);
	if (!path.startsWith('/')) throw invalidArgument(`${field} ${JSON.stringify(path)} is not absolute`);
	if (path.includes('\0')) throw invalidArgument(`${field} has a NUL character in it`);
}

/**
 * The mounts of the node's files, with their sources found (a missing one is made as a folder) and their propagation
 * checked.
 */
export async function resolveMounts(all: readonly Mount[]): Promise<readonly ResolvedMount[]> {
	const mounts = all.filter(({ image }) => image === null);
	const table = mounts.some(({ propagation }) => propagation !== 'PROPAGATION_PRIVATE')
		? await readMounts()
		: [];
	return await Promise.all(mounts.map((mount) => resolveMount(mount, table)));
}

async function resolveMount(mount: Mount, table: readonly HostMount[]): Promise<ResolvedMount> {
	const source = await hostPath(mount.host_path);
	checkPropagation(mount, source, table);
	return {
		destination: destinationOf(mount),
		source,
		options: [
			'rbind',
			PROPAGATION[mount.propagation],
			mount.readonly ? 'ro' : 'rw',
			...(mount.recursive_read_only ? ['rro'] : []),
			...mount.mount_options,
		],
		uidMappings: mapsOf(mount.uidMappings),
		gidMappings: mapsOf(mount.gidMappings),
	};
}

const mapsOf = (mappings: readonly IDMapping[]) =>
	mappings.length === 0 ? [] : idMappings('mappings', mappings);

async function hostPath(path: string): Promise<string> {
	try {
		return await realpath(path);
	} catch (error) {
		if (errnoOf(error) !== 'ENOENT') throw invalidArgument(`Cannot mount ${path}`, { cause: error });
	}
	try {
		await mkdir(path, { recursive: true, mode: 0o755 });
		return await realpath(path);
	} catch (error) {
		throw fromSystemError(`Cannot make ${path}, which is to be mounted and does not exist`, error);
	}
}

/** What the mount namespaces cannot do would otherwise silently not happen. */
function checkPropagation(mount: Mount, source: string, table: readonly HostMount[]): void {
	if (mount.propagation === 'PROPAGATION_PRIVATE') return;
	const host = mountOf(source, table);
	const enough = host?.shared || (host?.slave && mount.propagation === 'PROPAGATION_HOST_TO_CONTAINER');
	if (enough) return;
	throw failedPrecondition(
		`Cannot mount ${source} with ${mount.propagation}: it lies on the mount ${host?.path ?? '/'}, which is private; ` +
			`run "mount --make-rshared ${host?.path ?? '/'}" on the node first`,
	);
}
