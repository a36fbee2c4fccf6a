import type { CgroupStats, CgroupUsage } from '../types.ts';
import { type Keyed, readKeyed, readNumber, readText } from './files.ts';
import { readHugetlb } from './hugetlb-stats.ts';
import { atLeastZero, ioDevices } from './io-stats.ts';
import { type CgroupLayout, cgroupFolder, controllerFolder } from './layout.ts';
import { readPressure } from './pressure.ts';

/** What one cgroup uses, over all v1 hierarchies. A hybrid machine keeps the pressure files in the v2 one. */
export function usageV1(layout: CgroupLayout, cgroupsPath: string): CgroupUsage {
	const folder = (controller: string) => controllerFolder(layout, controller, cgroupsPath);
	const unified = layout.hierarchies.find(({ v2 }) => v2);
	const pressure = (name: string) =>
		unified === undefined ? {} : readPressure(`${cgroupFolder(unified, cgroupsPath)}/${name}.pressure`);
	const memory = folder('memory');
	return {
		cpu: { usageNs: readNumber(`${folder('cpuacct')}/cpuacct.usage`) ?? 0n, ...pressure('cpu') },
		memory: {
			...memoryUsage(memory, readKeyed(`${memory}/memory.stat`), layout.swap),
			...pressure('memory'),
		},
		pids: { current: readNumber(`${folder('pids')}/pids.current`) ?? 0n },
		io: pressure('io'),
	};
}

/** Everything that v1 counts. */
export function statsV1(layout: CgroupLayout, cgroupsPath: string): CgroupStats {
	const folder = (controller: string) => controllerFolder(layout, controller, cgroupsPath);
	const { cpu, memory, pids, io } = usageV1(layout, cgroupsPath);
	const limit = readNumber(`${folder('pids')}/pids.max`);
	return {
		cpu: { ...cpu, ...cpuDetails(folder('cpuacct'), folder('cpu')) },
		memory: { ...memory, ...memoryDetails(folder('memory')) },
		pids: { ...pids, ...(limit === undefined ? {} : { limit }) },
		io: { ...io, devices: devicesOf(folder('blkio')) },
		hugetlb: readHugetlb(folder('hugetlb'), { usage: 'usage_in_bytes', max: 'max_usage_in_bytes' }),
	};
}

function cpuDetails(cpuacct: string | undefined, cpu: string | undefined) {
	const stat = readKeyed(`${cpu}/cpu.stat`);
	return {
		userNs: readNumber(`${cpuacct}/cpuacct.usage_user`) ?? 0n,
		systemNs: readNumber(`${cpuacct}/cpuacct.usage_sys`) ?? 0n,
		periods: stat('nr_periods') ?? 0n,
		throttledPeriods: stat('nr_throttled') ?? 0n,
		throttledNs: stat('throttled_time') ?? 0n,
	};
}

/** `total_` counts what is below, too. */
const total =
	(stat: Keyed) =>
	(key: string): bigint =>
		stat(`total_${key}`) ?? stat(key) ?? 0n;

function memoryUsage(folder: string | undefined, stat: Keyed, swap: boolean): CgroupUsage['memory'] {
	const value = total(stat);
	const usage = readNumber(`${folder}/memory.usage_in_bytes`) ?? 0n;
	const limit = readNumber(`${folder}/memory.limit_in_bytes`);
	// memsw counts memory and swap together.
	const both = swap ? readNumber(`${folder}/memory.memsw.usage_in_bytes`) : undefined;
	const bothLimit = swap ? readNumber(`${folder}/memory.memsw.limit_in_bytes`) : undefined;
	return {
		usageBytes: usage,
		workingSetBytes: atLeastZero(usage - value('inactive_file')),
		rssBytes: value('rss'),
		pageFaults: value('pgfault'),
		majorPageFaults: value('pgmajfault'),
		...(limit === undefined ? {} : { limitBytes: limit }),
		...(both === undefined ? {} : { swapUsageBytes: atLeastZero(both - usage) }),
		...(bothLimit === undefined || limit === undefined
			? {}
			: { swapLimitBytes: atLeastZero(bothLimit - limit) }),
	};
}

function memoryDetails(folder: string | undefined) {
	const value = total(readKeyed(`${folder}/memory.stat`));
	const peak = readNumber(`${folder}/memory.max_usage_in_bytes`);
	return {
		cacheBytes: value('cache'),
		mappedFileBytes: value('mapped_file'),
		kernelBytes: readNumber(`${folder}/memory.kmem.usage_in_bytes`) ?? 0n,
		limitHits: readNumber(`${folder}/memory.failcnt`) ?? 0n,
		oomKills: readKeyed(`${folder}/memory.oom_control`)('oom_kill') ?? 0n,
		...(peak === undefined ? {} : { maxUsageBytes: peak }),
	};
}

/** Lines of `8:0 Read 4096`; the file's name depends on the I/O scheduler. */
function devicesOf(folder: string | undefined): CgroupStats['io']['devices'] {
	const first = (...names: string[]): string => {
		for (const name of names) {
			const text = readText(`${folder}/blkio.${name}`);
			if (/^\d/.test(text)) return text;
		}
		return '';
	};
	const bytes = first(
		'bfq.io_service_bytes_recursive',
		'throttle.io_service_bytes_recursive',
		'throttle.io_service_bytes',
	);
	const operations = first(
		'bfq.io_serviced_recursive',
		'throttle.io_serviced_recursive',
		'throttle.io_serviced',
	);
	const devices = ioDevices();
	const collect = (text: string, read: 'readBytes' | 'reads', write: 'writeBytes' | 'writes') => {
		for (const line of text.split('\n')) {
			const [device = '', kind, amount] = line.split(' ');
			if (kind === 'Read') devices.add(device, read, amount);
			else if (kind === 'Write') devices.add(device, write, amount);
		}
	};
	collect(bytes, 'readBytes', 'writeBytes');
	collect(operations, 'reads', 'writes');
	return devices.list();
}
