import { messageOf } from './errors.ts';

/** One step that takes back what was acquired. It must be safe to run twice. */
export interface Undo {
	readonly what: string;
	readonly undo: () => Promise<void> | void;
}

/**
 * The stack of what a call has acquired so far. On failure everything is taken back, newest first, and every
 * step is tried even when an earlier one failed. A failed step is attached to the first error, never replaces it.
 */
export class Rollback {
	readonly #steps: Undo[] = [];

	/** Remembers how to take back what was just acquired; `what` names it in the error if that fails. */
	push(what: string, undo: Undo['undo']): void {
		this.#steps.push({ what, undo });
	}

	/** Keeps everything: the call succeeded. */
	commit(): void {
		this.#steps.length = 0;
	}

	/** Takes everything back and returns the failures, as sentences. */
	async run(): Promise<string[]> {
		const failures: string[] = [];
		for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
			try {
				await step.undo();
			} catch (error) {
				failures.push(`cannot undo ${step.what}: ${messageOf(error)}`);
			}
		}
		return failures;
	}
}

/** Runs `work` with a rollback stack; on an error takes back what was pushed and rethrows that same error. */
export async function withRollback<T>(work: (rollback: Rollback) => Promise<T>): Promise<T> {
	const rollback = new Rollback();
	try {
		const result = await work(rollback);
		rollback.commit();
		return result;
	} catch (error) {
		const failures = await rollback.run();
		if (failures.length > 0 && error instanceof Error) error.message += ` (clean-up: ${failures.join('; ')})`;
		throw error;
	}
}
