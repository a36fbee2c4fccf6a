import type { CgroupStats } from '../types.ts';
import { readKeyed, readNumber, readText } from './files.ts';
import { readHugetlb } from './hugetlb-stats.ts';
import { atLeastZero, ioDevices } from './io-stats.ts';
import { type CgroupLayout, cgroupFolder, controllerFolder } from './layout.ts';
import { readPressure } from './pressure.ts';

/** Statistics of one cgroup over all v1 hierarchies. A hybrid machine keeps the pressure files in the v2 one. */
export async function statsV1(layout: CgroupLayout, cgroupsPath: string): Promise<CgroupStats> {
	const folder = (controller: string) => controllerFolder(layout, controller, cgroupsPath);
	const unified = layout.hierarchies.find(({ v2 }) => v2);
	const pressure = async (name: string) =>
		unified === undefined ? {} : await readPressure(`${cgroupFolder(unified, cgroupsPath)}/${name}.pressure`);
	const [cpu, memory, pids, io, hugetlb] = await Promise.all([
		Promise.all([cpuStats(folder('cpuacct'), folder('cpu')), pressure('cpu')]),
		Promise.all([memoryStats(folder('memory')), pressure('memory')]),
		pidsStats(folder('pids')),
		Promise.all([ioStats(folder('blkio')), pressure('io')]),
		readHugetlb(folder('hugetlb'), { usage: 'usage_in_bytes', max: 'max_usage_in_bytes' }),
	]);
	return {
		cpu: { ...cpu[0], ...cpu[1] },
		memory: { ...memory[0], ...memory[1] },
		pids,
		io: { ...io[0], ...io[1] },
		hugetlb,
	};
}

async function cpuStats(cpuacct: string | undefined, cpu: string | undefined): Promise<CgroupStats['cpu']> {
	const [usage, user, system, stat] = await Promise.all([
		readNumber(`${cpuacct}/cpuacct.usage`),
		readNumber(`${cpuacct}/cpuacct.usage_user`),
		readNumber(`${cpuacct}/cpuacct.usage_sys`),
		readKeyed(`${cpu}/cpu.stat`),
	]);
	return {
		usageNs: usage ?? 0n,
		userNs: user ?? 0n,
		systemNs: system ?? 0n,
		periods: stat.get('nr_periods') ?? 0n,
		throttledPeriods: stat.get('nr_throttled') ?? 0n,
		throttledNs: stat.get('throttled_time') ?? 0n,
	};
}

async function memoryStats(folder: string | undefined): Promise<CgroupStats['memory']> {
	const [stat, usage = 0n, limit, peak, swapped, swapLimit] = await Promise.all([
		readKeyed(`${folder}/memory.stat`),
		readNumber(`${folder}/memory.usage_in_bytes`),
		readNumber(`${folder}/memory.limit_in_bytes`),
		readNumber(`${folder}/memory.max_usage_in_bytes`),
		readNumber(`${folder}/memory.memsw.usage_in_bytes`),
		readNumber(`${folder}/memory.memsw.limit_in_bytes`),
	]);
	const value = (key: string) => stat.get(`total_${key}`) ?? stat.get(key) ?? 0n;
	return {
		usageBytes: usage,
		workingSetBytes: atLeastZero(usage - value('inactive_file')),
		rssBytes: value('rss'),
		cacheBytes: value('cache'),
		mappedFileBytes: value('mapped_file'),
		pageFaults: value('pgfault'),
		majorPageFaults: value('pgmajfault'),
		...(limit === undefined ? {} : { limitBytes: limit }),
		// memsw counts memory and swap together.
		...(swapped === undefined ? {} : { swapUsageBytes: atLeastZero(swapped - usage) }),
		...(swapLimit === undefined || limit === undefined
			? {}
			: { swapLimitBytes: atLeastZero(swapLimit - limit) }),
		...(peak === undefined ? {} : { maxUsageBytes: peak }),
	};
}

async function pidsStats(folder: string | undefined): Promise<CgroupStats['pids']> {
	const [current = 0n, limit] = await Promise.all([
		readNumber(`${folder}/pids.current`),
		readNumber(`${folder}/pids.max`),
	]);
	return { current, ...(limit === undefined ? {} : { limit }) };
}

/** Lines of `8:0 Read 4096`; the file's name depends on the I/O scheduler. */
async function ioStats(folder: string | undefined): Promise<CgroupStats['io']> {
	const first = async (...names: string[]) => {
		for (const name of names) {
			const text = await readText(`${folder}/blkio.${name}`);
			if (/^\d/.test(text)) return text;
		}
		return '';
	};
	const [bytes, operations] = await Promise.all([
		first(
			'bfq.io_service_bytes_recursive',
			'throttle.io_service_bytes_recursive',
			'throttle.io_service_bytes',
		),
		first('bfq.io_serviced_recursive', 'throttle.io_serviced_recursive', 'throttle.io_serviced'),
	]);
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
	return { devices: devices.list() };
}
