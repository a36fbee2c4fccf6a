import { invalidArgument } from '#base/errors.ts';
import type { OciResources } from '../oci/spec.ts';
import { swapMax } from './convert.ts';
import type { CgroupLayout } from './layout.ts';
import { type Limit, pidsLimit, unsupported } from './limit.ts';

/** cgroup v1 files for the OCI resources. */
export function limitsV1(layout: CgroupLayout, resources: OciResources): Limit[] {
	if (Object.keys(resources.unified ?? {}).length > 0) {
		throw unsupported('unified', 'it needs cgroup v2, but the controllers of this machine are mounted as v1');
	}
	return [
		...cpu(resources.cpu),
		...memory(layout, resources.memory),
		...pidsLimit(resources.pids),
		...hugepages(resources.hugepageLimits),
		...blockIo(layout, resources.blockIO),
	];
}

function cpu(limits: OciResources['cpu'] = {}): Limit[] {
	const write = (
		controller: string,
		file: string,
		value: string | number | undefined,
		resource: string,
	): Limit[] =>
		value === undefined || value === ''
			? []
			: [{ controller, file, value: String(value), resource: `cpu.${resource}` }];
	return [
		...write('cpu', 'cpu.shares', limits.shares || undefined, 'shares'),
		...write('cpu', 'cpu.cfs_period_us', limits.period || undefined, 'period'),
		...write('cpu', 'cpu.cfs_quota_us', limits.quota || undefined, 'quota'),
		...write('cpu', 'cpu.cfs_burst_us', limits.burst, 'burst'),
		...write('cpu', 'cpu.rt_period_us', limits.realtimePeriod || undefined, 'realtimePeriod'),
		...write('cpu', 'cpu.rt_runtime_us', limits.realtimeRuntime || undefined, 'realtimeRuntime'),
		...write('cpu', 'cpu.idle', limits.idle, 'idle'),
		...write('cpuset', 'cpuset.cpus', limits.cpus, 'cpus'),
		...write('cpuset', 'cpuset.mems', limits.mems, 'mems'),
	];
}

/** In a fresh cgroup the limit comes first: memory+swap may never be below it. An update tries again in the other order. */
function memory(layout: CgroupLayout, limits: OciResources['memory'] = {}): Limit[] {
	const write = (file: string, value: number | undefined, resource: string, optional = false): Limit[] =>
		value === undefined
			? []
			: [{ controller: 'memory', file, value: String(value), resource: `memory.${resource}`, optional }];
	const swap = swapMax(limits.swap, limits.limit);
	if (swap !== undefined && swap !== '0' && swap !== 'max' && !layout.swap) {
		throw unsupported('memory.swap', 'the kernel does not account swap (boot it with swapaccount=1)');
	}
	if ((limits.swappiness ?? 0) > 100) throw invalidArgument('memory.swappiness is not between 0 and 100');
	return [
		...write('memory.limit_in_bytes', limits.limit || undefined, 'limit'),
		...write('memory.memsw.limit_in_bytes', limits.swap || undefined, 'swap', !layout.swap),
		...write('memory.soft_limit_in_bytes', limits.reservation || undefined, 'reservation'),
		...write('memory.swappiness', limits.swappiness, 'swappiness'),
		...(limits.disableOOMKiller ? write('memory.oom_control', 1, 'disableOOMKiller') : []),
	];
}

/** The kubelet sends 0 for every page size it knows; where there is no controller, no such page can be had anyway. */
function hugepages(limits: OciResources['hugepageLimits'] = []): Limit[] {
	return limits.flatMap(({ pageSize, limit }) => {
		const shared = { controller: 'hugetlb', value: String(limit), resource: `hugepageLimits ${pageSize}` };
		return [
			{ ...shared, file: `hugetlb.${pageSize}.limit_in_bytes`, optional: limit <= 0 },
			{ ...shared, file: `hugetlb.${pageSize}.rsvd.limit_in_bytes`, optional: true },
		];
	});
}

function blockIo(layout: CgroupLayout, limits: OciResources['blockIO']): Limit[] {
	if (!limits?.weight) return [];
	if (limits.weight < 10 || limits.weight > 1000)
		throw invalidArgument('blockIO.weight is not between 10 and 1000');
	const file = layout.bfq ? 'blkio.bfq.weight' : 'blkio.weight';
	return [{ controller: 'blkio', file, value: String(limits.weight), resource: 'blockIO.weight' }];
}
