import { deadlineExceeded, invalidArgument } from '#base/errors.ts';

/** Beyond it no timer and no field of the protocol can count, and nobody waits. */
const LONGEST_SECONDS = 1_000_000;

/** How long an operation may still take. */
export class Deadline {
	/** Aborts when the time is over, with the error to answer. */
	readonly signal: AbortSignal;
	readonly #atMs: number | undefined;

	/** `seconds` 0: no limit. INVALID_ARGUMENT when it is negative. `what` follows "Cannot". */
	constructor(what: string, seconds: bigint) {
		if (seconds < 0n) throw invalidArgument(`timeout is ${seconds} s; 0 means no limit`);
		const controller = new AbortController();
		this.signal = controller.signal;
		if (seconds === 0n || seconds > LONGEST_SECONDS) return;
		const ms = Number(seconds) * 1000;
		this.#atMs = performance.now() + ms;
		const over = () => controller.abort(deadlineExceeded(`Cannot ${what} within ${seconds} s`));
		setTimeout(over, ms).unref();
	}

	/** For a program that is to be killed when the time is over; 0: no limit. */
	get remainingMs(): number {
		this.signal.throwIfAborted();
		return this.#atMs === undefined ? 0 : Math.max(1, Math.ceil(this.#atMs - performance.now()));
	}

	/** To be called when a program was killed at the deadline, a moment before or after the timer. */
	throwOver(what: string): never {
		this.signal.throwIfAborted();
		throw deadlineExceeded(`Cannot ${what} in time`);
	}
}
