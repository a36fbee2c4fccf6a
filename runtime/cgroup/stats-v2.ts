import type { CgroupStats } from '../types.ts';
import { readKeyed, readNumber, readText } from './files.ts';
import { readHugetlb } from './hugetlb-stats.ts';
import { atLeastZero, ioDevices } from './io-stats.ts';
import { readPressure } from './pressure.ts';

/** Statistics of one v2 cgroup folder. */
export async function statsV2(folder: string): Promise<CgroupStats> {
	const [cpu, memory, pids, io, hugetlb] = await Promise.all([
		cpuStats(folder),
		memoryStats(folder),
		pidsStats(folder),
		ioStats(folder),
		readHugetlb(folder, { usage: 'current', max: undefined }),
	]);
	return { cpu, memory, pids, io, hugetlb };
}

async function cpuStats(folder: string): Promise<CgroupStats['cpu']> {
	const [stat, pressure] = await Promise.all([
		readKeyed(`${folder}/cpu.stat`),
		readPressure(`${folder}/cpu.pressure`),
	]);
	const ns = (key: string) => (stat.get(key) ?? 0n) * 1000n;
	return {
		usageNs: ns('usage_usec'),
		userNs: ns('user_usec'),
		systemNs: ns('system_usec'),
		periods: stat.get('nr_periods') ?? 0n,
		throttledPeriods: stat.get('nr_throttled') ?? 0n,
		throttledNs: ns('throttled_usec'),
		...pressure,
	};
}

async function memoryStats(folder: string): Promise<CgroupStats['memory']> {
	const [stat, usage = 0n, limit, peak, swap, swapLimit, pressure] = await Promise.all([
		readKeyed(`${folder}/memory.stat`),
		readNumber(`${folder}/memory.current`),
		readNumber(`${folder}/memory.max`),
		readNumber(`${folder}/memory.peak`),
		readNumber(`${folder}/memory.swap.current`),
		readNumber(`${folder}/memory.swap.max`),
		readPressure(`${folder}/memory.pressure`),
	]);
	const value = (key: string) => stat.get(key) ?? 0n;
	return {
		usageBytes: usage,
		workingSetBytes: atLeastZero(usage - value('inactive_file')),
		rssBytes: value('anon'),
		cacheBytes: value('file'),
		mappedFileBytes: value('file_mapped'),
		pageFaults: value('pgfault'),
		majorPageFaults: value('pgmajfault'),
		...(limit === undefined ? {} : { limitBytes: limit }),
		...(swap === undefined ? {} : { swapUsageBytes: swap }),
		...(swapLimit === undefined ? {} : { swapLimitBytes: swapLimit }),
		...(peak === undefined ? {} : { maxUsageBytes: peak }),
		...pressure,
	};
}

async function pidsStats(folder: string): Promise<CgroupStats['pids']> {
	const [current = 0n, limit] = await Promise.all([
		readNumber(`${folder}/pids.current`),
		readNumber(`${folder}/pids.max`),
	]);
	return { current, ...(limit === undefined ? {} : { limit }) };
}

/** Lines of `8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0`. */
async function ioStats(folder: string): Promise<CgroupStats['io']> {
	const [text, pressure] = await Promise.all([
		readText(`${folder}/io.stat`),
		readPressure(`${folder}/io.pressure`),
	]);
	const devices = ioDevices();
	for (const line of text.split('\n')) {
		const [device = '', ...pairs] = line.split(' ');
		for (const pair of pairs) {
			const [key, amount] = pair.split('=');
			if (key === 'rbytes') devices.add(device, 'readBytes', amount);
			else if (key === 'wbytes') devices.add(device, 'writeBytes', amount);
			else if (key === 'rios') devices.add(device, 'reads', amount);
			else if (key === 'wios') devices.add(device, 'writes', amount);
		}
	}
	return { devices: devices.list(), ...pressure };
}
