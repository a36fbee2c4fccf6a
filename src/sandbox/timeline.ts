import { deadlineExceeded } from '#base/errors.ts';
import type { Holder } from '../store/names.ts';
import type { Stage } from './types.ts';

/** Times one stage; a call's own does the same for its log line and the metrics. */
export type TimeStage = <T>(name: string, work: () => Promise<T>) => Promise<T>;

/**
 * The stages of a start, kept for `inspect`; tells those who wait which ones run. All of them
 * together have a deadline (runtime.create_timeout_seconds), whatever their work does about it.
 */
export class Timeline {
	readonly signal: AbortSignal;
	readonly #timeoutSeconds: number;
	readonly #beganMs = performance.now();
	readonly #stages: Stage[] = [];
	readonly #running = new Set<string>();
	readonly #holder: Holder;
	readonly #outer: TimeStage;

	constructor(holder: Holder, outer: TimeStage, timeoutSeconds: number) {
		this.#holder = holder;
		this.#outer = outer;
		this.#timeoutSeconds = timeoutSeconds;
		// Not the client's deadline: a retry is to find the result.
		this.signal = AbortSignal.timeout(timeoutSeconds * 1000);
	}

	/** For a program that is to have ended when the stages are given up: a second less than they have; at least 1. */
	get secondsLeft(): number {
		const elapsedSeconds = (performance.now() - this.#beganMs) / 1000;
		return Math.max(1, Math.floor(this.#timeoutSeconds - elapsedSeconds) - 1);
	}

	/** In the order in which they began. */
	get stages(): readonly Stage[] {
		return this.#stages.toSorted((a, b) => a.startedUs - b.startedUs);
	}

	/** Runs one stage; others may be under way. A failing one is not listed: the error says what failed. DEADLINE_EXCEEDED names the stage. */
	async stage<T>(name: string, work: () => Promise<T>): Promise<T> {
		this.#running.add(name);
		this.#tell();
		const startedMs = performance.now();
		const result = await this.#outer(name, () => this.#beforeDeadline(name, work)).finally(() => {
			this.#running.delete(name);
			this.#tell();
		});
		const micros = (ms: number): number => Math.round(ms * 1000);
		this.#stages.push({
			name,
			startedUs: micros(startedMs - this.#beganMs),
			elapsedUs: micros(performance.now() - startedMs),
		});
		return result;
	}

	/** Between two stages the last one stays. */
	#tell(): void {
		if (this.#running.size > 0) this.#holder.stage = [...this.#running].join(', ');
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
