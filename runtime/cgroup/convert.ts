import { invalidArgument } from '#base/errors.ts';

/**
 * cpu.shares (2…262144, default 1024) as cpu.weight (1…10000, default 100). The curve goes through the three pairs
 * minimum, default and maximum; a straight line would give a default of 39, less than every other process has.
 */
export function cpuWeight(shares: number): number {
	if (shares <= 2) return 1;
	if (shares >= 262144) return 10000;
	const exponent = Math.log2(shares);
	return Math.ceil(10 ** ((exponent * exponent + 125 * exponent) / 612 - 7 / 34));
}

/** blkio.weight (10…1000) as io.weight (1…10000). */
export function ioWeight(weight: number): number {
	return Math.floor(1 + ((weight - 10) * 9999) / 990);
}

/**
 * OCI's swap limit is memory and swap together; memory.swap.max is swap alone. undefined: nothing to write.
 */
export function swapMax(swap: number | undefined, memory: number | undefined): string | undefined {
	if (swap === undefined || swap === 0) return undefined;
	if (swap === -1) return 'max';
	if (memory === undefined || memory <= 0) throw invalidArgument('memory.swap is set without memory.limit');
	if (swap < memory)
		throw invalidArgument(`memory.swap (${swap}) is below memory.limit (${memory}), which it includes`);
	return String(swap - memory);
}

/** A limit in which -1 and values that no machine reaches mean none. */
export const orMax = (limit: number): string => (limit < 0 || limit >= 2 ** 63 ? 'max' : String(limit));
