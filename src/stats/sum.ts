import type { CgroupUsage } from '#runtime';

/** What several cgroups use as if they were one: for a pod that has none of its own. Pressure cannot be added up. */
export function sumUsage(parts: readonly CgroupUsage[]): CgroupUsage {
	const add = (pick: (usage: CgroupUsage) => bigint): bigint =>
		parts.reduce((sum, usage) => sum + pick(usage), 0n);
	/** Only when every part has it. */
	const addKnown = (pick: (usage: CgroupUsage) => bigint | undefined): bigint | undefined =>
		parts.every((usage) => pick(usage) !== undefined) ? add((usage) => pick(usage) ?? 0n) : undefined;
	const swapUsageBytes = addKnown(({ memory }) => memory.swapUsageBytes);
	return {
		cpu: { usageNs: add(({ cpu }) => cpu.usageNs) },
		memory: {
			usageBytes: add(({ memory }) => memory.usageBytes),
			workingSetBytes: add(({ memory }) => memory.workingSetBytes),
			rssBytes: add(({ memory }) => memory.rssBytes),
			pageFaults: add(({ memory }) => memory.pageFaults),
			majorPageFaults: add(({ memory }) => memory.majorPageFaults),
			...(swapUsageBytes !== undefined && { swapUsageBytes }),
		},
		pids: { current: add(({ pids }) => pids.current) },
		io: {},
	};
}
