import type { CgroupStats } from '#runtime';
import { counters, type Family, gauge, type Sample } from './family.ts';
import type { ContainerReading } from './reading.ts';

export const DISK: readonly Family<ContainerReading>[] = [
	gauge(
		'container_fs_inodes_free',
		'Free inodes of the file system of the writable layer.',
		({ fileSystem }) => fileSystem.freeInodes,
	),
	gauge(
		'container_fs_inodes_total',
		'Inodes of the file system of the writable layer.',
		({ fileSystem }) => fileSystem.totalInodes,
	),
	gauge(
		'container_fs_limit_bytes',
		'Size of the file system of the writable layer, in bytes.',
		({ fileSystem }) => fileSystem.totalBytes,
	),
	gauge('container_fs_usage_bytes', 'Bytes that the container has written to its layer.', ({ layer }) =>
		layer === undefined ? undefined : { value: BigInt(layer.bytes), atNs: layer.atNs },
	),
];

type Device = CgroupStats['io']['devices'][number];

const perDevice =
	(read: (device: Device) => bigint) =>
	({ cgroup }: ContainerReading): readonly Sample[] =>
		cgroup.io.devices.map((device) => ({ value: read(device), labels: [numberOf(device)] }));

const numberOf = ({ major, minor }: Device): string => `${major}:${minor}`;

/** Block devices are named by their numbers, `8:0`. */
export const DISK_IO: readonly Family<ContainerReading>[] = [
	counters(
		'container_fs_reads_bytes_total',
		['device'],
		'Bytes read from a block device.',
		perDevice(({ readBytes }) => readBytes),
	),
	counters(
		'container_fs_reads_total',
		['device'],
		'Reads from a block device.',
		perDevice(({ reads }) => reads),
	),
	counters(
		'container_fs_writes_bytes_total',
		['device'],
		'Bytes written to a block device.',
		perDevice(({ writeBytes }) => writeBytes),
	),
	counters(
		'container_fs_writes_total',
		['device'],
		'Writes to a block device.',
		perDevice(({ writes }) => writes),
	),
	counters(
		'container_blkio_device_usage_total',
		['device', 'major', 'minor', 'operation'],
		'Bytes read from (operation "read") and written to ("write") a block device.',
		({ cgroup }) =>
			cgroup.io.devices.flatMap((device) => {
				const labels = [numberOf(device), String(device.major), String(device.minor)];
				return [
					{ value: device.readBytes, labels: [...labels, 'read'] },
					{ value: device.writeBytes, labels: [...labels, 'write'] },
				];
			}),
	),
];
