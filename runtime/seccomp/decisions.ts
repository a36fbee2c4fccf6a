import { type AND, LOAD, RETURN } from './instructions.ts';

/** What is still to be done until the answer is known. */
export type Decision = Answer | Step | Comparison;
interface Answer {
	readonly kind: 'answer';
	readonly id: number;
	/** SECCOMP_RET_* with its data. */
	readonly k: number;
}
/** Changes the accumulator. */
interface Step {
	readonly kind: 'step';
	readonly id: number;
	readonly code: typeof LOAD | typeof AND;
	readonly k: number;
	readonly next: Decision;
}
/** Asks the accumulator. */
export interface Comparison {
	readonly kind: 'comparison';
	readonly id: number;
	readonly code: number;
	readonly k: number;
	readonly yes: Decision;
	readonly no: Decision;
}

/** Makes decisions: two that do the same are one object, and none does what changes nothing. */
export class Decisions {
	readonly #known = new Map<string, Decision>();

	answer(k: number): Decision {
		return this.#only(`${RETURN} ${k}`, (id) => ({ kind: 'answer', id, k }));
	}

	step(code: Step['code'], k: number, next: Decision): Decision {
		const isLostOn = next.kind === 'answer' || (next.kind === 'step' && next.code === LOAD);
		if (isLostOn) return next;
		return this.#only(`${code} ${k} ${next.id}`, (id) => ({ kind: 'step', id, code, k, next }));
	}

	comparison(code: number, k: number, yes: Decision, no: Decision): Decision {
		if (yes === no) return yes;
		const key = `${code} ${k} ${yes.id} ${no.id}`;
		return this.#only(key, (id) => ({ kind: 'comparison', id, code, k, yes, no }));
	}

	#only(key: string, make: (id: number) => Decision): Decision {
		const known = this.#known.get(key);
		if (known !== undefined) return known;
		const decision = make(this.#known.size);
		this.#known.set(key, decision);
		return decision;
	}
}
