import { setImmediate } from 'node:timers/promises';

/** So long may one piece of synchronous work keep other calls from their turn. */
const TURN_MS = 1;

/** The time that synchronous work may take before others have their turn. */
export class Turn {
	#endsMs = performance.now() + TURN_MS;

	get isOver(): boolean {
		return performance.now() >= this.#endsMs;
	}

	/** Lets others have their turn, then begins a new one. */
	async pass(): Promise<void> {
		await setImmediate();
		this.#endsMs = performance.now() + TURN_MS;
	}
}

/** Does synchronous work on every item in order, in turns of about a millisecond. */
export async function inTurns<T, R>(items: readonly T[], work: (item: T) => R): Promise<R[]> {
	const results: R[] = [];
	const turn = new Turn();
	for (const item of items) {
		results.push(work(item));
		if (turn.isOver) await turn.pass();
	}
	return results;
}
