import { deadlineExceeded, unavailable } from '#base/errors.ts';

/** Holds calls back until it is opened, once and for all. */
export class Gate {
	readonly #opened = Promise.withResolvers<void>();
	#isOpen = false;

	constructor() {
		// Nobody may be waiting when it is refused.
		this.#opened.promise.catch(() => {});
	}

	get isOpen(): boolean {
		return this.#isOpen;
	}

	open(): void {
		this.#isOpen = true;
		this.#opened.resolve();
	}

	/** It will not be opened any more: UNAVAILABLE for those who wait. Nothing happens when it is open. */
	refuse(): void {
		this.#opened.reject(unavailable('The daemon ends before it could take over what ran'));
	}

	/** Waits until it is open. DEADLINE_EXCEEDED when the caller's patience ends before. */
	async pass(signal: AbortSignal): Promise<void> {
		if (this.#isOpen) return;
		const { promise: gaveUp, reject } = Promise.withResolvers<never>();
		const giveUp = (): void =>
			reject(deadlineExceeded('The daemon still takes over what ran before it started; try again'));
		signal.addEventListener('abort', giveUp, { once: true });
		if (signal.aborted) giveUp();
		try {
			await Promise.race([this.#opened.promise, gaveUp]);
		} finally {
			signal.removeEventListener('abort', giveUp);
		}
	}
}
