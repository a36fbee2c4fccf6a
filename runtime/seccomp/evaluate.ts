import type { Turn } from '#base/turns.ts';
import type { Decision, Decisions } from './decisions.ts';
import {
	AND,
	ARCH_OFFSET,
	AT_LEAST,
	EQUAL,
	GREATER,
	type Instruction,
	JUMP,
	LOAD,
	NUMBER_OFFSET,
	RETURN,
} from './instructions.ts';
import { chooseByRange, HIGHEST } from './ranges.ts';

/** Many times what the default profile takes. */
const STEPS_MAX = 500_000;
/** For one number: what is done at once, within a turn. */
const STEPS_OF_CALL_MAX = 10_000;
/** Of instructions that depend on arguments, one after the other: each is a call within a call. */
const DEPTH_MAX = 1000;

/** The program does something that is not understood here. */
export class NotUnderstood extends Error {}

/**
 * All that a program answers, whatever the architecture, the number and the arguments: first the architecture is
 * asked, then the number, then what the program asks of the arguments. Two programs that differ only in how they get
 * there are one decision.
 */
export async function evaluate(
	program: readonly Instruction[],
	decisions: Decisions,
	turn: Turn,
): Promise<Decision> {
	return await new Evaluation(program, decisions, turn).whole();
}

/** `last`: the highest value up to which, from `a` on, the comparison holds as it does for `a`. */
interface Compare {
	readonly holds: (a: number, k: number) => boolean;
	readonly last: (a: number, k: number) => number;
}
const COMPARISONS: Readonly<Record<number, Compare>> = {
	[EQUAL]: { holds: (a, k) => a === k, last: (a, k) => (a < k ? k - 1 : a === k ? k : HIGHEST) },
	[GREATER]: { holds: (a, k) => a > k, last: (a, k) => (a <= k ? k : HIGHEST) },
	[AT_LEAST]: { holds: (a, k) => a >= k, last: (a, k) => (a < k ? k - 1 : HIGHEST) },
};

/** What the program is followed for. */
interface Value {
	readonly first: number;
	/** Up to here the program goes the same way as for `first`, as far as it has been followed. */
	last: number;
}
interface Call {
	readonly arch: Value;
	readonly number: Value;
	/** What becomes of the instructions that depend on arguments. */
	readonly kept: Map<number, Decision>;
}
const from = (first: number): Value => ({ first, last: HIGHEST });

class Evaluation {
	readonly #program: readonly Instruction[];
	readonly #decisions: Decisions;
	readonly #turn: Turn;
	#stepsBefore = 0;
	#stepsOfCall = 0;

	constructor(program: readonly Instruction[], decisions: Decisions, turn: Turn) {
		this.#program = program;
		this.#decisions = decisions;
		this.#turn = turn;
	}

	async whole(): Promise<Decision> {
		const decision = await chooseByRange(async (first) => {
			const arch = from(first);
			return { decision: await this.#ofArch(arch), last: arch.last };
		}, this.#decisions);
		return this.#decisions.step(LOAD, ARCH_OFFSET, decision);
	}

	async #ofArch(arch: Value): Promise<Decision> {
		const decision = await chooseByRange(async (first) => {
			if (this.#turn.isOver) await this.#turn.pass();
			const number = from(first);
			return { decision: this.#ofCall({ arch, number, kept: new Map() }), last: number.last };
		}, this.#decisions);
		return this.#decisions.step(LOAD, NUMBER_OFFSET, decision);
	}

	#ofCall(call: Call): Decision {
		this.#stepsBefore += this.#stepsOfCall;
		this.#stepsOfCall = 0;
		if (this.#stepsBefore > STEPS_MAX) throw new NotUnderstood('it takes too long');
		// The kernel begins with 0 in the accumulator.
		return this.#follow(call, 0, from(0));
	}

	/** What is left of the program for a call; `a`: the accumulator, undefined for something of an argument. */
	#follow(call: Call, at: number, a: Value | undefined, depth = 0): Decision {
		for (;;) {
			const { code, jt, jf, k } = this.#instruction(at);
			if (code === RETURN) return this.#decisions.answer(k);
			if (code === JUMP) at += 1 + k;
			else if (code === LOAD && (k === ARCH_OFFSET || k === NUMBER_OFFSET)) {
				a = k === ARCH_OFFSET ? call.arch : call.number;
				at++;
			} else if (code === LOAD || a === undefined) return this.#keep(call, at, depth);
			else at += 1 + (this.#decide(code, a, k) ? jt : jf);
		}
	}

	#decide(code: number, a: Value, k: number): boolean {
		const compare = COMPARISONS[code];
		if (compare === undefined) throw new NotUnderstood(`code ${code}`);
		a.last = Math.min(a.last, compare.last(a.first, k));
		return compare.holds(a.first, k);
	}

	/** An instruction that loads an argument, or does something with one. */
	#keep(call: Call, at: number, depth: number): Decision {
		const before = call.kept.get(at);
		if (before !== undefined) return before;
		if (depth > DEPTH_MAX) throw new NotUnderstood('it asks too much of arguments');
		const { code, jt, jf, k } = this.#instruction(at);
		const then = (to: number) => this.#follow(call, to, undefined, depth + 1);
		let decision: Decision;
		if (code === LOAD || code === AND) decision = this.#decisions.step(code, k, then(at + 1));
		else if (code in COMPARISONS)
			decision = this.#decisions.comparison(code, k, then(at + 1 + jt), then(at + 1 + jf));
		else throw new NotUnderstood(`code ${code}`);
		call.kept.set(at, decision);
		return decision;
	}

	#instruction(at: number): Instruction {
		if (this.#stepsOfCall++ > STEPS_OF_CALL_MAX) throw new NotUnderstood('it takes too long');
		const instruction = this.#program[at];
		if (instruction === undefined) throw new NotUnderstood('it does not end');
		return instruction;
	}
}
