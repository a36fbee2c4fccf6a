import { invalidArgument } from '#base/errors.ts';
import type { OciResources } from '../oci/spec.ts';
import { cpuWeight, ioWeight, orMax, swapMax } from './convert.ts';
import type { CgroupLayout } from './layout.ts';
import { type Limit, pidsLimit, unsupported } from './limit.ts';

/** cgroup v2 files for the OCI resources, whose names are those of v1. */
export function limitsV2(layout: CgroupLayout, resources: OciResources): Limit[] {
	return [
		...cpu(resources.cpu),
		...memory(layout, resources.memory),
		...pidsLimit(resources.pids),
		...hugepages(resources.hugepageLimits),
		...blockIo(layout, resources.blockIO),
		...unified(layout, resources.unified),
	];
}

function cpu(limits: OciResources['cpu'] = {}): Limit[] {
	if (limits.realtimeRuntime || limits.realtimePeriod) {
		throw unsupported('cpu.realtimeRuntime', 'cgroup v2 has no real-time budget');
	}
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
		...write('cpu', 'cpu.weight', limits.shares ? cpuWeight(limits.shares) : undefined, 'shares'),
		...write('cpu', 'cpu.max', bandwidth(limits.quota, limits.period), 'quota'),
		...write('cpu', 'cpu.max.burst', limits.burst, 'burst'),
		...write('cpu', 'cpu.idle', limits.idle, 'idle'),
		...write('cpuset', 'cpuset.cpus', limits.cpus, 'cpus'),
		...write('cpuset', 'cpuset.mems', limits.mems, 'mems'),
	];
}

/** `quota period`; 0 means unset for both, as in v1's OCI meaning. */
function bandwidth(quota = 0, period = 0): string | undefined {
	if (quota === 0 && period === 0) return undefined;
	const first = quota > 0 ? String(quota) : 'max';
	return period > 0 ? `${first} ${period}` : first;
}

function memory(layout: CgroupLayout, limits: OciResources['memory'] = {}): Limit[] {
	if (limits.disableOOMKiller) throw unsupported('memory.disableOOMKiller', 'cgroup v2 has no such switch');
	if (limits.swappiness !== undefined) throw unsupported('memory.swappiness', 'cgroup v2 has no such value');
	const swap = swapMax(limits.swap, limits.limit);
	const harmless = swap === '0' || swap === 'max';
	if (swap !== undefined && !harmless && !layout.swap) {
		throw unsupported('memory.swap', 'the kernel does not account swap (boot it with swapaccount=1)');
	}
	const write = (file: string, value: string | undefined, resource: string, optional = false): Limit[] =>
		value === undefined
			? []
			: [{ controller: 'memory', file, value, resource: `memory.${resource}`, optional }];
	return [
		...write('memory.max', limits.limit ? orMax(limits.limit) : undefined, 'limit'),
		...write('memory.swap.max', swap, 'swap', harmless),
		...write('memory.low', limits.reservation ? orMax(limits.reservation) : undefined, 'reservation'),
	];
}

/** The kubelet sends 0 for every page size it knows; where there is no controller, no such page can be had anyway. */
function hugepages(limits: OciResources['hugepageLimits'] = []): Limit[] {
	return limits.flatMap(({ pageSize, limit }) => {
		const shared = { controller: 'hugetlb', value: orMax(limit), resource: `hugepageLimits ${pageSize}` };
		return [
			{ ...shared, file: `hugetlb.${pageSize}.max`, optional: limit <= 0 },
			{ ...shared, file: `hugetlb.${pageSize}.rsvd.max`, optional: true },
		];
	});
}

function blockIo(layout: CgroupLayout, limits: OciResources['blockIO']): Limit[] {
	if (!limits?.weight) return [];
	if (limits.weight < 10 || limits.weight > 1000)
		throw invalidArgument('blockIO.weight is not between 10 and 1000');
	const resource = 'blockIO.weight';
	if (layout.bfq)
		return [{ controller: 'io', file: 'io.bfq.weight', value: String(limits.weight), resource }];
	return [{ controller: 'io', file: 'io.weight', value: String(ioWeight(limits.weight)), resource }];
}

/** Files by their own names. They come last and so beat what the other fields say. */
function unified(layout: CgroupLayout, files: OciResources['unified'] = {}): Limit[] {
	return Object.entries(files).map(([file, value]) => {
		const controller = file.split('.')[0] ?? '';
		const resource = `unified[${JSON.stringify(file)}]`;
		if (!/^[a-z]+(\.[\w-]+)+$/i.test(file)) throw invalidArgument(`${resource} is no name of a cgroup file`);
		if (controller !== 'cgroup' && !layout.controllers.has(controller)) {
			throw unsupported(resource, `the cgroup controller ${controller} is not available on this machine`);
		}
		return { controller, file, value, resource };
	});
}
