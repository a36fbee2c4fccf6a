import { type Family, gauge, gauges } from './family.ts';
import type { ContainerReading } from './reading.ts';

export const PROCESSES: readonly Family<ContainerReading>[] = [
	gauge('container_processes', 'Processes of the container.', ({ processes }) => processes.processes),
	gauge(
		'container_file_descriptors',
		'Open descriptors of all processes.',
		({ processes }) => processes.descriptors,
	),
	gauge(
		'container_sockets',
		'Descriptors of all processes that are sockets.',
		({ processes }) => processes.sockets,
	),
	gauge('container_threads', 'Threads of all processes.', ({ cgroup }) => cgroup.pids.current),
	gauge(
		'container_threads_max',
		'Threads that the container may have; 0: as many as it likes.',
		({ cgroup }) => cgroup.pids.limit ?? 0n,
	),
	gauges(
		'container_ulimits_soft',
		['ulimit'],
		'Soft limits of the first process; max_open_files only.',
		({ processes: { maxOpenFiles } }) =>
			maxOpenFiles === undefined ? [] : [{ value: maxOpenFiles, labels: ['max_open_files'] }],
	),
];
