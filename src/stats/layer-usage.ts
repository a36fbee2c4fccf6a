import type { Log } from '#base/log.ts';

export interface TreeUsage {
	readonly bytes: number;
	readonly inodes: number;
}

export interface MeasuredUsage extends TreeUsage {
	/** Nanoseconds since 1970. */
	readonly atNs: bigint;
}

export interface LayerUsageOptions {
	/** Walks a tree; slow for a big one. */
	readonly measure: (path: string) => Promise<TreeUsage>;
	readonly log: Log;
	/** A value older than this is measured again in the background. Default 10 s. */
	readonly maxAgeMs?: number;
	readonly nowMs?: () => number;
}

/**
 * How much the writable layers hold. A caller gets what was measured last, at once; one tree after the other is
 * walked in the background, so that a list never waits for a disk.
 */
export class LayerUsage {
	readonly #options: LayerUsageOptions;
	readonly #known = new Map<string, MeasuredUsage>();
	readonly #underway = new Map<string, Promise<void>>();
	#queue: Promise<void> = Promise.resolve();

	constructor(options: LayerUsageOptions) {
		this.#options = options;
	}

	/** The last value, undefined before the first; asks for a new one when it is old. */
	last(path: string): MeasuredUsage | undefined {
		const known = this.#known.get(path);
		if (known === undefined || this.#isOld(known)) void this.#refresh(path);
		return known;
	}

	/** The last value, or the first one when there is none yet. undefined when the tree cannot be measured. */
	async measured(path: string): Promise<MeasuredUsage | undefined> {
		const known = this.last(path);
		if (known !== undefined) return known;
		await this.#refresh(path);
		return this.#known.get(path);
	}

	/** Forgets every tree that is not among these. */
	keepOnly(isAlive: (path: string) => boolean): void {
		for (const path of this.#known.keys()) if (!isAlive(path)) this.#known.delete(path);
	}

	#refresh(path: string): Promise<void> {
		const underway = this.#underway.get(path);
		if (underway !== undefined) return underway;
		const refreshed = this.#queue.then(() => this.#measure(path));
		this.#queue = refreshed;
		this.#underway.set(path, refreshed);
		return refreshed;
	}

	async #measure(path: string): Promise<void> {
		try {
			const usage = await this.#options.measure(path);
			this.#known.set(path, { ...usage, atNs: BigInt(this.#nowMs()) * 1_000_000n });
		} catch (error) {
			this.#options.log.debug('Cannot measure a writable layer', { path, error });
		} finally {
			this.#underway.delete(path);
		}
	}

	#isOld(usage: MeasuredUsage): boolean {
		return (
			BigInt(this.#nowMs()) * 1_000_000n - usage.atNs >= BigInt(this.#options.maxAgeMs ?? 10_000) * 1_000_000n
		);
	}

	#nowMs(): number {
		return (this.#options.nowMs ?? Date.now)();
	}
}
