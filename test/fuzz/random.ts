/** Numbers that look random and are the same for the same seed (mulberry32). */
export class Random {
	#state: number;

	/** `part` tells apart what shares one seed. */
	constructor(seed: number, part = '') {
		this.#state = seed >>> 0;
		for (const character of part) this.#state = Math.imul(this.#state ^ character.charCodeAt(0), 0x01000193);
	}

	/** 0 … limit - 1; 0 when there is nothing below the limit. */
	below(limit: number): number {
		this.#state = (this.#state + 0x6d2b79f5) | 0;
		let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
		mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
		return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit);
	}

	/** True once in `times`. */
	oneIn(times: number): boolean {
		return this.below(times) === 0;
	}

	pick<T>(choices: readonly T[]): T {
		return choices[this.below(choices.length)] as T;
	}
}
