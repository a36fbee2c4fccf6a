import type { Holder } from '../store/names.ts';
import type { Stage } from './types.ts';

/** Times one stage; a call's own does the same for its log line and the metrics. */
export type TimeStage = <T>(name: string, work: () => Promise<T>) => Promise<T>;

/** The stages of a start, one after the other, kept for `inspect`; tells those who wait which one runs. */
export class Timeline {
	readonly #beganMs = performance.now();
	readonly #stages: Stage[] = [];
	readonly #holder: Holder;
	readonly #outer: TimeStage;

	constructor(holder: Holder, outer: TimeStage) {
		this.#holder = holder;
		this.#outer = outer;
	}

	get stages(): readonly Stage[] {
		return [...this.#stages];
	}

	/** Runs one stage. A failing one is not listed: the error says what failed. */
	async stage<T>(name: string, work: () => Promise<T>): Promise<T> {
		this.#holder.stage = name;
		const startedMs = performance.now();
		const result = await this.#outer(name, work);
		const micros = (ms: number): number => Math.round(ms * 1000);
		this.#stages.push({
			name,
			startedUs: micros(startedMs - this.#beganMs),
			elapsedUs: micros(performance.now() - startedMs),
		});
		return result;
	}
}
