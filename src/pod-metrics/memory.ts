import { counter, counters, type Family, gauge, gauges } from './family.ts';
import type { ContainerReading } from './reading.ts';

export const MEMORY: readonly Family<ContainerReading>[] = [
	gauge('container_memory_cache', 'Bytes of page cache.', ({ cgroup }) => cgroup.memory.cacheBytes),
	gauge('container_memory_rss', 'Bytes of anonymous memory.', ({ cgroup }) => cgroup.memory.rssBytes),
	gauge(
		'container_memory_kernel_usage',
		'Bytes that the kernel has allocated for the container.',
		({ cgroup }) => cgroup.memory.kernelBytes,
	),
	gauge(
		'container_memory_mapped_file',
		'Bytes of files that are mapped into memory.',
		({ cgroup }) => cgroup.memory.mappedFileBytes,
	),
	gauge(
		'container_memory_swap',
		'Bytes that are swapped out.',
		({ cgroup }) => cgroup.memory.swapUsageBytes ?? 0n,
	),
	counter(
		'container_memory_failcnt',
		'How often the memory limit was reached.',
		({ cgroup }) => cgroup.memory.limitHits,
	),
	gauge(
		'container_memory_usage_bytes',
		'Bytes of memory in use, page cache included.',
		({ cgroup }) => cgroup.memory.usageBytes,
	),
	gauge(
		'container_memory_max_usage_bytes',
		'The largest number of bytes of memory that were in use; what is in use now, where the kernel does not remember it.',
		({ cgroup }) => cgroup.memory.maxUsageBytes ?? cgroup.memory.usageBytes,
	),
	gauge(
		'container_memory_working_set_bytes',
		'Bytes of memory in use that cannot be taken back at once.',
		({ cgroup }) => cgroup.memory.workingSetBytes,
	),
	counters(
		'container_memory_failures_total',
		['failure_type', 'scope'],
		'Page faults (pgfault), and those that had to read from a disk (pgmajfault).',
		({ cgroup: { memory } }) =>
			SCOPES.flatMap((scope) => [
				{ value: memory.pageFaults, labels: ['pgfault', scope] },
				{ value: memory.majorPageFaults, labels: ['pgmajfault', scope] },
			]),
	),
];

/** A container's cgroup and those below it are counted together: both are the same. */
const SCOPES = ['container', 'hierarchy'];

export const OOM: readonly Family<ContainerReading>[] = [
	counter(
		'container_oom_events_total',
		'How often the kernel killed a process for lack of memory.',
		({ cgroup }) => cgroup.memory.oomKills,
	),
];

export const HUGETLB: readonly Family<ContainerReading>[] = [
	gauges('container_hugetlb_usage_bytes', ['pagesize'], 'Bytes of huge pages in use.', ({ cgroup }) =>
		cgroup.hugetlb.map(({ pageSize, usageBytes }) => ({ value: usageBytes, labels: [pageSize] })),
	),
	gauges(
		'container_hugetlb_max_usage_bytes',
		['pagesize'],
		'The largest number of bytes of huge pages that were in use; what is in use now, where the kernel does not remember it.',
		({ cgroup }) =>
			cgroup.hugetlb.map(({ pageSize, maxUsageBytes }) => ({ value: maxUsageBytes, labels: [pageSize] })),
	),
];
