import type { CgroupStats, CgroupUsage } from '../types.ts';
import { readKeyed, readNumber, readText } from './files.ts';
import { readHugetlb } from './hugetlb-stats.ts';
import { atLeastZero, ioDevices } from './io-stats.ts';
import { readPressure } from './pressure.ts';

/** What one v2 cgroup folder uses. */
export function usageV2(folder: string): CgroupUsage {
	const cpu = readKeyed(`${folder}/cpu.stat`);
	return {
		cpu: { usageNs: (cpu('usage_usec') ?? 0n) * 1000n, ...readPressure(`${folder}/cpu.pressure`) },
		memory: { ...memoryUsage(folder), ...readPressure(`${folder}/memory.pressure`) },
		pids: { current: readNumber(`${folder}/pids.current`) ?? 0n },
		io: readPressure(`${folder}/io.pressure`),
	};
}

/** Everything that v2 counts. */
export function statsV2(folder: string): CgroupStats {
	const { cpu, memory, pids, io } = usageV2(folder);
	const limit = readNumber(`${folder}/pids.max`);
	return {
		cpu: { ...cpu, ...cpuDetails(folder) },
		memory: { ...memory, ...memoryDetails(folder) },
		pids: { ...pids, ...(limit === undefined ? {} : { limit }) },
		io: { ...io, devices: devicesOf(folder) },
		hugetlb: readHugetlb(folder, { usage: 'current', max: undefined }),
	};
}

function cpuDetails(folder: string) {
	const stat = readKeyed(`${folder}/cpu.stat`);
	const ns = (key: string): bigint => (stat(key) ?? 0n) * 1000n;
	return {
		userNs: ns('user_usec'),
		systemNs: ns('system_usec'),
		periods: stat('nr_periods') ?? 0n,
		throttledPeriods: stat('nr_throttled') ?? 0n,
		throttledNs: ns('throttled_usec'),
	};
}

function memoryUsage(folder: string): CgroupUsage['memory'] {
	const stat = readKeyed(`${folder}/memory.stat`);
	const usage = readNumber(`${folder}/memory.current`) ?? 0n;
	const limit = readNumber(`${folder}/memory.max`);
	const swap = readNumber(`${folder}/memory.swap.current`);
	const swapLimit = readNumber(`${folder}/memory.swap.max`);
	return {
		usageBytes: usage,
		workingSetBytes: atLeastZero(usage - (stat('inactive_file') ?? 0n)),
		rssBytes: stat('anon') ?? 0n,
		pageFaults: stat('pgfault') ?? 0n,
		majorPageFaults: stat('pgmajfault') ?? 0n,
		...(limit === undefined ? {} : { limitBytes: limit }),
		...(swap === undefined ? {} : { swapUsageBytes: swap }),
		...(swapLimit === undefined ? {} : { swapLimitBytes: swapLimit }),
	};
}

function memoryDetails(folder: string) {
	const stat = readKeyed(`${folder}/memory.stat`);
	const events = readKeyed(`${folder}/memory.events`);
	const peak = readNumber(`${folder}/memory.peak`);
	return {
		cacheBytes: stat('file') ?? 0n,
		mappedFileBytes: stat('file_mapped') ?? 0n,
		// Linux 5.18 sums it up; before, these are the large parts.
		kernelBytes: stat('kernel') ?? (stat('kernel_stack') ?? 0n) + (stat('slab') ?? 0n),
		limitHits: events('max') ?? 0n,
		oomKills: events('oom_kill') ?? 0n,
		...(peak === undefined ? {} : { maxUsageBytes: peak }),
	};
}

/** Lines of `8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0`. */
function devicesOf(folder: string): CgroupStats['io']['devices'] {
	const devices = ioDevices();
	for (const line of readText(`${folder}/io.stat`).split('\n')) {
		const [device = '', ...pairs] = line.split(' ');
		for (const pair of pairs) {
			const [key, amount] = pair.split('=');
			if (key === 'rbytes') devices.add(device, 'readBytes', amount);
			else if (key === 'wbytes') devices.add(device, 'writeBytes', amount);
			else if (key === 'rios') devices.add(device, 'reads', amount);
			else if (key === 'wios') devices.add(device, 'writes', amount);
		}
	}
	return devices.list();
}
