import { deadlineExceeded, invalidArgument } from '#base/errors.ts';
import type { Config } from '../config/types.ts';

/** Beyond it no timer and no field of the protocol can count, and nobody waits. */
const LONGEST_SECONDS = 1_000_000n;

type DeadlineConfig = { readonly runtime: Pick<Config['runtime'], 'checkpointTimeoutSeconds'> };

/** How long an operation may still take. */
export class Deadline {
	/** Aborts when the time is over, with the error to answer. */
	readonly signal: AbortSignal;
	readonly #atMs: number;

	/**
	 * `wanted`, in seconds; 0: the limit of `runtime.checkpoint_timeout_seconds`, for a CRIU that hangs keeps its
	 * containers frozen. INVALID_ARGUMENT when it is negative. `what` follows "Cannot".
	 */
	constructor(what: string, wanted: bigint, { runtime }: DeadlineConfig) {
		if (wanted < 0n)
			throw invalidArgument(`timeout is ${wanted} s; 0 means that of runtime.checkpoint_timeout_seconds`);
		const asked = wanted === 0n ? BigInt(runtime.checkpointTimeoutSeconds) : wanted;
		const seconds = asked < LONGEST_SECONDS ? asked : LONGEST_SECONDS;
		const controller = new AbortController();
		this.signal = controller.signal;
		const ms = Number(seconds) * 1000;
		this.#atMs = performance.now() + ms;
		const over = () => controller.abort(deadlineExceeded(`Cannot ${what} within ${seconds} s`));
		setTimeout(over, ms).unref();
	}

	/** For a program that is to be killed when the time is over; at least 1. */
	get remainingMs(): number {
		this.signal.throwIfAborted();
		return Math.max(1, Math.ceil(this.#atMs - performance.now()));
	}

	/** To be called when a program was killed at the deadline, a moment before or after the timer. */
	throwOver(what: string): never {
		this.signal.throwIfAborted();
		throw deadlineExceeded(`Cannot ${what} in time`);
	}
}
