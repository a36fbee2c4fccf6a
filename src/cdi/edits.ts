import { stat } from 'node:fs/promises';
import { posix } from 'node:path';
import { failedPrecondition, messageOf, unimplemented } from '#base/errors.ts';
import type { OciHook, OciHooks, OciMount } from '#runtime';
import { deviceAt } from '../container/devices.ts';
import type { DeviceEdits, ResolvedDevice } from '../spec/input.ts';
import type { CdiHook, CdiMount, DeviceNode } from './spec.ts';
import type { NamedEdits } from './specs.ts';

/** What the devices bring, beside what a spec is made of: nodes, and groups of the process. */
export interface ResolvedEdits {
	readonly edits: DeviceEdits;
	readonly devices: readonly ResolvedDevice[];
	readonly groups: readonly number[];
}

/** Turns the edits into parts of a container; the node is asked for device numbers and whether files are there. */
export async function resolveEdits(named: readonly NamedEdits[]): Promise<ResolvedEdits> {
	for (const { of, edits } of named) checkSupported(of, edits);
	const devices = await Promise.all(
		named.flatMap(({ of, edits: { deviceNodes = [] } }) => deviceNodes.map((node) => deviceOf(of, node))),
	);
	const mounts = await Promise.all(
		named.flatMap(({ of, edits }) => (edits.mounts ?? []).map((mount) => mountOf(of, mount))),
	);
	const groups = named.flatMap(({ edits }) => edits.additionalGids ?? []);
	return {
		edits: {
			env: named.flatMap(({ edits }) => edits.env ?? []),
			// Of two at one place the later one stays.
			mounts: [...new Map(mounts.map((mount) => [mount.destination, mount])).values()],
			hooks: hooksOf(named.flatMap(({ edits }) => edits.hooks ?? [])),
		},
		devices: [...new Map(devices.map((device) => [device.path, device])).values()],
		// 0 stands for no group (SPEC.md).
		groups: [...new Set(groups)].filter((group) => group !== 0),
	};
}

function checkSupported(of: string, { intelRdt, netDevices }: NamedEdits['edits']): void {
	const field = intelRdt ? 'intelRdt' : netDevices ? 'netDevices' : undefined;
	if (field === undefined) return;
	throw unimplemented(`CDI ${of} asks for ${field}, which Gantry does not support`);
}

async function deviceOf(of: string, node: DeviceNode): Promise<ResolvedDevice> {
	const path = posix.normalize(node.path);
	const hostPath = node.hostPath || path;
	if (node.type === 'p') throw unimplemented(`CDI ${of}: ${path} is a FIFO, which Gantry does not support`);
	const there = await deviceAt(hostPath, path);
	const type = node.type === 'u' ? 'c' : (node.type ?? there?.type);
	const major = node.major ?? there?.major;
	const minor = node.minor ?? there?.minor;
	if (type === undefined || major === undefined || minor === undefined)
		throw failedPrecondition(`CDI ${of}: ${hostPath} is no device of this node`);
	const { permissions = '' } = node;
	return {
		type,
		path,
		hostPath,
		major,
		minor,
		fileMode: node.fileMode ?? 0o666,
		...(node.uid !== undefined && { uid: node.uid }),
		...(node.gid !== undefined && { gid: node.gid }),
		access: permissions === 'none' ? '' : permissions || 'rwm',
	};
}

async function mountOf(of: string, mount: CdiMount): Promise<OciMount> {
	const { options = [], type = '' } = mount;
	const destination = posix.normalize(mount.containerPath).replace(/(.)\/$/, '$1');
	const binds = type === 'bind' || options.some((option) => option === 'bind' || option === 'rbind');
	if (type !== '' && !binds) return { destination, type, source: mount.hostPath, options };
	try {
		await stat(mount.hostPath);
	} catch (error) {
		throw failedPrecondition(`CDI ${of}: cannot mount ${mount.hostPath}: ${messageOf(error)}`, {
			cause: error,
		});
	}
	return {
		destination,
		type: 'bind',
		source: mount.hostPath,
		options: binds ? options : ['rbind', ...options],
	};
}

function hooksOf(hooks: readonly CdiHook[]): OciHooks {
	const named: Partial<Record<keyof OciHooks, readonly OciHook[]>> = {};
	for (const { hookName, path, args, env, timeout } of hooks) {
		const hook: OciHook = {
			path,
			...(args && { args }),
			...(env && { env }),
			...(timeout !== undefined && { timeout }),
		};
		named[hookName] = [...(named[hookName] ?? []), hook];
	}
	return named;
}
