import type { Log } from '#base/log.ts';

/** Waits between attempts; after the last one the work is left for the next start of the daemon. */
const DELAYS_MS = [5_000, 15_000, 60_000, 300_000, 900_000, 1_800_000] as const;

/** Work that failed and is tried again in the background, per key. */
export class Retries {
	readonly #log: Log;
	readonly #timers = new Map<string, NodeJS.Timeout>();

	constructor(log: Log) {
		this.#log = log;
	}

	/** `work` answers its failures; none means done. Work of the same key that still waits is replaced. */
	schedule(key: string, work: () => Promise<readonly string[]>, attempt = 0): void {
		this.cancel(key);
		const delay = DELAYS_MS[attempt];
		if (delay === undefined) {
			this.#log.error('given up until the next start', { key, attempts: attempt });
			return;
		}
		const run = async () => {
			this.#timers.delete(key);
			const failures = await work();
			if (failures.length === 0) return;
			this.#log.warn('failed again', { key, attempt: attempt + 1, failures });
			this.schedule(key, work, attempt + 1);
		};
		this.#timers.set(key, setTimeout(() => void run(), delay).unref());
	}

	cancel(key: string): void {
		clearTimeout(this.#timers.get(key));
		this.#timers.delete(key);
	}

	/** Keys that wait for another attempt. */
	get pending(): readonly string[] {
		return [...this.#timers.keys()];
	}

	close(): void {
		for (const key of this.pending) this.cancel(key);
	}
}
