import { type Condition, deadlineExceeded, fromSystemError, messageOf, StatusError } from '#base/errors.ts';

/** Not NOT_FOUND, for one: the caller would take it for the object's. */
const PASSING: ReadonlySet<Condition> = new Set(['UNAVAILABLE', 'DEADLINE_EXCEEDED']);

/** The steps of a clean-up: each is tried, each has a deadline of its own, and what fails is collected. */
export class CleanUp {
	readonly #failures: string[] = [];
	readonly #conditions = new Set<Condition>();

	get failures(): readonly string[] {
		return this.#failures;
	}

	/**
	 * Runs one step and answers whether it succeeded; `what` follows "Cannot". A step that is late goes on by itself,
	 * the next one begins.
	 */
	async step(what: string, timeoutMs: number, work: () => Promise<unknown>): Promise<boolean> {
		try {
			await within(what, timeoutMs, work);
			return true;
		} catch (error) {
			this.#failures.push(`cannot ${what}: ${messageOf(error)}`);
			this.#conditions.add(fromSystemError('', error).condition);
			return false;
		}
	}

	/** Everything that failed, if anything did. What may pass keeps its condition, everything else is INTERNAL. */
	throwIfFailed(what: string, advice = 'try again, or see gantry doctor'): void {
		if (this.#failures.length === 0) return;
		throw new StatusError(this.#condition(), `${what}: ${this.#failures.join('; ')}; ${advice}`);
	}

	#condition(): Condition {
		// Where there was no room for one step the others fail in many ways.
		if (this.#conditions.has('RESOURCE_EXHAUSTED')) return 'RESOURCE_EXHAUSTED';
		const [first, ...others] = this.#conditions;
		return first !== undefined && others.length === 0 && PASSING.has(first) ? first : 'INTERNAL';
	}
}

/** Rejects with DEADLINE_EXCEEDED when `work` takes longer. The work itself is not stopped. */
export async function within<T>(what: string, timeoutMs: number, work: () => Promise<T>): Promise<T> {
	const { promise: late, reject } = Promise.withResolvers<never>();
	const timer = setTimeout(
		() => reject(deadlineExceeded(`Cannot ${what}: it is not done after ${timeoutMs / 1000} s`)),
		timeoutMs,
	);
	try {
		return await Promise.race([work(), late]);
	} finally {
		clearTimeout(timer);
	}
}
