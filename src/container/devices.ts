import { readdir, stat } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { errnoOf, invalidArgument } from '#base/errors.ts';
import type { Device } from '#cri-api';
import type { ResolvedDevice } from '../spec/input.ts';

/** Folders of /dev that are mounts of their own in every container, or belong to other containers. */
const NOT_DEVICES = new Set(['pts', 'shm', 'fd', 'mqueue', '.lxc', '.lxd-mounts', 'hugepages']);

/** INVALID_ARGUMENT for what cannot be a device, before anything is looked at. */
export function checkDevices(devices: readonly Device[]): void {
	for (const [index, { container_path, host_path, permissions }] of devices.entries()) {
		const field = `devices[${index}]`;
		if (!host_path.startsWith('/'))
			throw invalidArgument(`${field}.host_path ${JSON.stringify(host_path)} is not absolute`);
		if (container_path !== '' && !container_path.startsWith('/')) {
			throw invalidArgument(`${field}.container_path ${JSON.stringify(container_path)} is not absolute`);
		}
		if (!/^[rwm]*$/.test(permissions)) {
			throw invalidArgument(`${field}.permissions ${JSON.stringify(permissions)} is not made of r, w and m`);
		}
	}
}

/** The nodes of the request: a device, or all devices below a folder. Privileged containers get all of /dev. */
export async function resolveDevices(
	devices: readonly Device[],
	privileged: boolean,
): Promise<readonly ResolvedDevice[]> {
	const requested = (
		await Promise.all(devices.map((device, index) => requestedDevices(`devices[${index}]`, device)))
	).flat();
	const all = privileged ? await devicesBelow('/dev', '/dev', 'rwm') : [];
	const own = new Set(requested.map(({ path }) => path));
	return [...all.filter(({ path }) => !own.has(path)), ...requested];
}

async function requestedDevices(field: string, device: Device): Promise<readonly ResolvedDevice[]> {
	const path = posix.normalize(device.container_path || device.host_path);
	const access = device.permissions || 'rwm';
	const found = await nodeAt(device.host_path, path, access);
	if (found !== undefined) return [found];
	const nodes = await devicesBelow(device.host_path, path, access);
	if (nodes.length > 0) return nodes;
	throw invalidArgument(
		`${field}.host_path ${device.host_path} is neither a device of the node nor a folder with devices`,
	);
}

async function devicesBelow(
	hostFolder: string,
	folder: string,
	access: string,
): Promise<readonly ResolvedDevice[]> {
	const entries = await readdir(hostFolder, { withFileTypes: true }).catch((error: unknown) => {
		if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return [];
		throw error;
	});
	const found = await Promise.all(
		entries.map((entry) => {
			const [hostPath, path] = [join(hostFolder, entry.name), join(folder, entry.name)];
			if (entry.isDirectory()) return NOT_DEVICES.has(entry.name) ? [] : devicesBelow(hostPath, path, access);
			// The runtime makes its own console and ptmx.
			if (entry.isSymbolicLink() || entry.name === 'console' || entry.name === 'ptmx') return [];
			return nodeAt(hostPath, path, access).then((node) => (node === undefined ? [] : [node]));
		}),
	);
	return found.flat();
}

async function nodeAt(hostPath: string, path: string, access: string): Promise<ResolvedDevice | undefined> {
	const device = await deviceAt(hostPath, path);
	return device === undefined ? undefined : { ...device, access };
}

/** The device of the node at `hostPath`, followed to its end; undefined when there is none. */
export async function deviceAt(
	hostPath: string,
	path: string,
): Promise<Omit<ResolvedDevice, 'access'> | undefined> {
	const stats = await stat(hostPath).catch((error: unknown) => {
		if (errnoOf(error) === 'ENOENT') return undefined;
		throw error;
	});
	if (stats === undefined || !(stats.isCharacterDevice() || stats.isBlockDevice())) return undefined;
	const { major, minor } = deviceNumber(stats.rdev);
	return {
		type: stats.isBlockDevice() ? 'b' : 'c',
		path,
		hostPath,
		major,
		minor,
		fileMode: stats.mode & 0o7777,
		uid: stats.uid,
		gid: stats.gid,
	};
}

/** glibc's encoding of dev_t (makedev(3)). */
export function deviceNumber(rdev: number): { readonly major: number; readonly minor: number } {
	const bits = BigInt(rdev);
	return {
		major: Number(((bits >> 8n) & 0xfffn) | ((bits >> 32n) & 0xfffff000n)),
		minor: Number((bits & 0xffn) | ((bits >> 12n) & 0xffffff00n)),
	};
}
