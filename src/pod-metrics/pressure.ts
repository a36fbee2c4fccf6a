import type { Pressure } from '#runtime';
import { counter, type Family, secondsOfUs } from './family.ts';
import type { ContainerReading } from './reading.ts';

/** Two metrics for each resource: some tasks waited for it, and all of them did (kernel, accounting/psi). */
const pressureOf = (
	resource: string,
	called: string,
	read: (reading: ContainerReading) => Pressure | undefined,
): readonly Family<ContainerReading>[] => [
	counter(
		`container_pressure_${resource}_stalled_seconds_total`,
		`Seconds in which no task could go on for lack of ${called}.`,
		(reading) => total(read(reading)?.full.totalUs),
	),
	counter(
		`container_pressure_${resource}_waiting_seconds_total`,
		`Seconds in which at least one task waited for ${called}.`,
		(reading) => total(read(reading)?.some.totalUs),
	),
];

const total = (us: bigint | undefined): bigint | undefined =>
	us === undefined ? undefined : secondsOfUs(us);

/** Absent where the kernel keeps no pressure. */
export const PRESSURE: readonly Family<ContainerReading>[] = [
	...pressureOf('cpu', 'CPU', ({ cgroup }) => cgroup.cpu.pressure),
	...pressureOf('memory', 'memory', ({ cgroup }) => cgroup.memory.pressure),
	...pressureOf('io', 'a block device', ({ cgroup }) => cgroup.io.pressure),
];
