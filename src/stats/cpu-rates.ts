/** One reading: nanoseconds of a clock that never jumps, and nanoseconds of CPU used so far. */
export interface CpuSample {
	readonly atNs: bigint;
	readonly usageNs: bigint;
}

interface History {
	readonly base: CpuSample;
	readonly latest: CpuSample;
}

/** A rate over less than this says little: the earlier reading stays the base. */
const LEAST_SPAN_NS = 1_000_000_000n;
const SECOND_NS = 1_000_000_000n;

/**
 * The CPU that each object uses, in nanocores, from the readings that calls bring: two are kept for each. The
 * first rate of an object is its average since it began.
 */
export class CpuRates {
	readonly #histories = new Map<string, History>();

	/** Remembers a reading and gives the rate since an earlier one that is a second old or more. */
	rate(id: string, sample: CpuSample, beganAtNs: bigint): bigint {
		const { base, latest } = this.#histories.get(id) ?? startOf(beganAtNs);
		const isApart = sample.atNs - latest.atNs >= LEAST_SPAN_NS;
		const from = isApart ? latest : base;
		this.#histories.set(id, { base: from, latest: isApart ? sample : latest });
		const span = sample.atNs - from.atNs;
		const used = sample.usageNs - from.usageNs;
		return span <= 0n || used <= 0n ? 0n : (used * SECOND_NS) / span;
	}

	/** Forgets every object that is not among these. */
	keepOnly(isAlive: (id: string) => boolean): void {
		for (const id of this.#histories.keys()) if (!isAlive(id)) this.#histories.delete(id);
	}

	/** How many objects are remembered. */
	get size(): number {
		return this.#histories.size;
	}
}

function startOf(beganAtNs: bigint): History {
	const began = { atNs: beganAtNs, usageNs: 0n };
	return { base: began, latest: began };
}
