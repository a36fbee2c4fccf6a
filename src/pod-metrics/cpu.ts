import { counter, counters, type Family, secondsOfNs } from './family.ts';
import type { ContainerReading } from './reading.ts';

export const CPU: readonly Family<ContainerReading>[] = [
	counter('container_cpu_user_seconds_total', 'Seconds of CPU time spent in user mode.', ({ cgroup }) =>
		secondsOfNs(cgroup.cpu.userNs),
	),
	counter('container_cpu_system_seconds_total', 'Seconds of CPU time spent in the kernel.', ({ cgroup }) =>
		secondsOfNs(cgroup.cpu.systemNs),
	),
	counters(
		'container_cpu_usage_seconds_total',
		['cpu'],
		'Seconds of CPU time used; the label cpu is always "total".',
		({ cgroup }) => [{ value: secondsOfNs(cgroup.cpu.usageNs), labels: ['total'] }],
	),
	counter(
		'container_cpu_cfs_periods_total',
		'Periods of the CPU quota in which the container ran.',
		({ cgroup }) => cgroup.cpu.periods,
	),
	counter(
		'container_cpu_cfs_throttled_periods_total',
		'Periods in which the CPU quota was used up.',
		({ cgroup }) => cgroup.cpu.throttledPeriods,
	),
	counter(
		'container_cpu_cfs_throttled_seconds_total',
		'Seconds for which the CPU quota held the container back.',
		({ cgroup }) => secondsOfNs(cgroup.cpu.throttledNs),
	),
];
