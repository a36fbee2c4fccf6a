import type { LinuxContainerResourcesInit } from '#cri-api';
import { type Family, gauge, secondsOfNs } from './family.ts';
import type { ContainerReading } from './reading.ts';

const resources = ({ container }: ContainerReading): LinuxContainerResourcesInit =>
	container.status.resources;

/** -1 means no limit to the CRI, 0 to those who read these metrics. */
function limit(value: string | number | bigint | undefined): bigint {
	const number = BigInt(value ?? 0);
	return number < 0n ? 0n : number;
}

/** What the container was promised and is limited to, after UpdateContainerResources as well. 0: no limit. */
export const SPEC: readonly Family<ContainerReading>[] = [
	gauge('container_spec_cpu_period', 'Period of the CPU quota, in microseconds.', (reading) =>
		limit(resources(reading).cpu_period),
	),
	gauge('container_spec_cpu_shares', 'Share of the CPU, relative to others.', (reading) =>
		limit(resources(reading).cpu_shares),
	),
	gauge(
		'container_spec_cpu_quota',
		'Microseconds of CPU in each period; absent without a quota.',
		(reading) => {
			const quota = limit(resources(reading).cpu_quota);
			return quota > 0n ? quota : undefined;
		},
	),
	gauge('container_spec_memory_limit_bytes', 'Limit of the memory, in bytes.', (reading) =>
		limit(resources(reading).memory_limit_in_bytes),
	),
	gauge('container_spec_memory_reservation_limit_bytes', 'Bytes of memory that are kept for it.', (reading) =>
		reservation(resources(reading).unified?.['memory.min']),
	),
	gauge('container_spec_memory_swap_limit_bytes', 'Limit of memory and swap together, in bytes.', (reading) =>
		limit(resources(reading).memory_swap_limit_in_bytes),
	),
	gauge(
		'container_start_time_seconds',
		'When it was started, or else created; seconds since 1970.',
		({ container }) => secondsOfNs(container.status.startedAtNs ?? container.metadata.createdAtNs),
	),
];

const reservation = (memoryMin: string | undefined): bigint =>
	memoryMin !== undefined && /^\d+$/.test(memoryMin) ? BigInt(memoryMin) : 0n;

export const LAST_SEEN: readonly Family<ContainerReading>[] = [
	gauge('container_last_seen', 'When these metrics were read; seconds since 1970.', ({ nowNs }) =>
		secondsOfNs(nowNs),
	),
];
