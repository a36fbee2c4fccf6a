/** What may have grown, and what must not. */

import { summarize } from '../bench/figures.ts';
import { align, show } from '../bench/table.ts';
import type { Census } from './census.ts';

/**
 * Memory is judged from after the population: by then every code path has run, every cache is warm, and what the
 * churn adds is a leak. Things are judged from the start, and must be as many.
 */
const TOLERANCE_KIB: ReadonlyMap<string, number> = new Map([
	// Compiled code and a few caches still grow by some hundred KiB in an hour.
	['heap of the daemon (KiB)', 4 * 1024],
	// The allocator keeps what the busiest moment took; the heap above tells a leak from that.
	['daemon, RSS (KiB)', 48 * 1024],
	['launcher, PSS (KiB)', 256],
]);

export interface Censuses {
	readonly start: Census;
	readonly population: Census;
	readonly churn: Census;
}

/** A sentence for each thing that grew. */
export function whatGrew({ start, population, churn }: Censuses): string[] {
	return [...churn].flatMap(([name, after]) => {
		const tolerance = TOLERANCE_KIB.get(name);
		const before = (tolerance === undefined ? start : population).get(name) ?? 0;
		if (after <= before + (tolerance ?? 0)) return [];
		const allowed = tolerance === undefined ? '' : ` (at most ${tolerance} more are allowed)`;
		return [`${name}: ${before} before, ${after} after the churn${allowed}`];
	});
}

export function censusTable({ start, population, churn }: Censuses): string {
	const rows = [...churn].map(([name, last]) => {
		const [first = 0, middle = 0] = [start.get(name), population.get(name)];
		return [name, String(first), String(middle), String(last), signed(last - first)];
	});
	return align([['', 'start', 'after the population', 'after the churn', 'difference'], ...rows]);
}

export function callTable(times: ReadonlyMap<string, readonly number[]>): string {
	const rows = [...times].toSorted().map(([name, values]) => {
		const { p50, p99, n } = summarize(values);
		return [name, String(n), show(p50), show(p99)];
	});
	return align([['call (ms)', 'calls', 'p50', 'p99'], ...rows]);
}

const signed = (value: number): string => (value > 0 ? `+${value}` : String(value));
