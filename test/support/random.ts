/** Chance that can be had again: the same seed gives the same numbers. */
export interface Random {
	/** A whole number from 0 to `limit` - 1. */
	below(limit: number): number;
	of<T>(list: readonly T[]): T;
	/** True once in `times`. */
	oneIn(times: number): boolean;
}

/** A linear congruential generator: good enough to vary moments and choices. */
export function seeded(seed: number): Random {
	let state = seed >>> 0;
	const below = (limit: number): number => {
		state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
		return Math.floor((state / 2 ** 32) * limit);
	};
	return {
		below,
		of: <T>(list: readonly T[]): T => list[below(list.length)] as T,
		oneIn: (times) => below(times) === 0,
	};
}
