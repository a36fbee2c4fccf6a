import type { CgroupStats } from '#runtime';

/** The stats of several cgroups as if they were one: for a pod that has no cgroup of its own. Pressure cannot be added up. */
export function sumStats(parts: readonly CgroupStats[]): CgroupStats {
	const add = (pick: (stats: CgroupStats) => bigint): bigint =>
		parts.reduce((sum, stats) => sum + pick(stats), 0n);
	/** Only when every part has it. */
	const addKnown = (pick: (stats: CgroupStats) => bigint | undefined): bigint | undefined =>
		parts.every((stats) => pick(stats) !== undefined) ? add((stats) => pick(stats) ?? 0n) : undefined;
	const swapUsageBytes = addKnown(({ memory }) => memory.swapUsageBytes);
	return {
		cpu: {
			usageNs: add(({ cpu }) => cpu.usageNs),
			userNs: add(({ cpu }) => cpu.userNs),
			systemNs: add(({ cpu }) => cpu.systemNs),
			throttledPeriods: add(({ cpu }) => cpu.throttledPeriods),
			periods: add(({ cpu }) => cpu.periods),
			throttledNs: add(({ cpu }) => cpu.throttledNs),
		},
		memory: {
			usageBytes: add(({ memory }) => memory.usageBytes),
			workingSetBytes: add(({ memory }) => memory.workingSetBytes),
			rssBytes: add(({ memory }) => memory.rssBytes),
			cacheBytes: add(({ memory }) => memory.cacheBytes),
			mappedFileBytes: add(({ memory }) => memory.mappedFileBytes),
			pageFaults: add(({ memory }) => memory.pageFaults),
			majorPageFaults: add(({ memory }) => memory.majorPageFaults),
			...(swapUsageBytes !== undefined && { swapUsageBytes }),
		},
		pids: { current: add(({ pids }) => pids.current) },
		io: { devices: [] },
		hugetlb: [],
	};
}
