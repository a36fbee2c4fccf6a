import type { Log } from '#base/log.ts';

/**
 * Says of each capability once that containers ask for it and do not get it. No container fails for it: the same
 * manifest runs on nodes that may give more.
 */
export class WithheldCapabilities {
	readonly #log: Log;
	readonly #told = new Set<string>();

	constructor(log: Log) {
		this.#log = log;
	}

	say(container: string, names: readonly string[]): void {
		for (const capability of names) {
			if (this.#told.has(capability)) continue;
			this.#told.add(capability);
			this.#log.warn(
				`${capability} is asked for, but the daemon has no right to give it: containers run without it`,
				{ container },
			);
		}
	}
}
