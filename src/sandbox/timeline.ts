import { deadlineExceeded } from '#base/errors.ts';
import type { Holder } from '../store/names.ts';
import type { Stage } from './types.ts';

/** Times one stage; a call's own does the same for its log line and the metrics. */
export type TimeStage = <T>(name: string, work: () => Promise<T>) => Promise<T>;

/**
 * The stages of a start, one after the other, kept for `inspect`; tells those who wait which one runs. All of them
 * together have a deadline (runtime.create_timeout_seconds), whatever their work does about it.
 */
export class Timeline {
	readonly signal: AbortSignal;
	readonly #timeoutSeconds: number;
	readonly #beganMs = performance.now();
	readonly #stages: Stage[] = [];
	readonly #holder: Holder;
	readonly #outer: TimeStage;

	constructor(holder: Holder, outer: TimeStage, timeoutSeconds: number) {
		this.#holder = holder;
		this.#outer = outer;
		this.#timeoutSeconds = timeoutSeconds;
		// Not the client's deadline: a retry is to find the result.
		this.signal = AbortSignal.timeout(timeoutSeconds * 1000);
	}

	get stages(): readonly Stage[] {
		return [...this.#stages];
	}

	/** Runs one stage. A failing one is not listed: the error says what failed. DEADLINE_EXCEEDED names the stage. */
	async stage<T>(name: string, work: () => Promise<T>): Promise<T> {
		this.#holder.stage = name;
		const startedMs = performance.now();
		const result = await this.#outer(name, () => this.#beforeDeadline(name, work));
		const micros = (ms: number): number => Math.round(ms * 1000);
		this.#stages.push({
			name,
			startedUs: micros(startedMs - this.#beganMs),
			elapsedUs: micros(performance.now() - startedMs),
		});
		return result;
	}

	async #beforeDeadline<T>(name: string, work: () => Promise<T>): Promise<T> {
		const { promise: late, reject } = Promise.withResolvers<never>();
		const giveUp = (): void =>
			reject(
				deadlineExceeded(
					`Stage ${name} was given up: all stages together may take ${this.#timeoutSeconds} s`,
				),
			);
		this.signal.addEventListener('abort', giveUp, { once: true });
		if (this.signal.aborted) giveUp();
		try {
			return await Promise.race([late, work()]);
		} finally {
			this.signal.removeEventListener('abort', giveUp);
		}
	}
}
