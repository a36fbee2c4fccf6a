import type { Comparison, Decision } from './decisions.ts';
import { type Instruction, JUMP, RETURN } from './instructions.ts';

/** How far a comparison can jump. */
const REACH = 255;

/**
 * Writes from the end to the beginning: what a decision leads to comes behind it, mostly at once, and is there once,
 * however many lead to it.
 */
export function emit(root: Decision): Instruction[] {
	const reversed: Instruction[] = [];
	/** How many instructions there are from a decision's first to the end. */
	const places = new Map<Decision, number>();
	const distance = (to: Decision) => reversed.length - (places.get(to) ?? 0);
	const add = (code: number, k: number, jt = 0, jf = 0) => reversed.push({ code, jt, jf, k });

	function place(decision: Decision): void {
		if (places.has(decision)) return;
		if (decision.kind === 'answer') add(RETURN, decision.k);
		else if (decision.kind === 'comparison') placeComparison(decision);
		else {
			place(decision.next);
			if (distance(decision.next) > 0) add(JUMP, distance(decision.next));
			add(decision.code, decision.k);
		}
		places.set(decision, reversed.length);
	}

	function placeComparison({ code, k, yes, no }: Comparison): void {
		place(yes);
		place(no);
		// The second may push the first one further away.
		bringNear(yes, REACH - 1);
		bringNear(no, REACH);
		add(code, k, distance(yes), distance(no));
	}

	function bringNear(decision: Decision, reach: number): void {
		if (distance(decision) <= reach) return;
		if (decision.kind === 'answer') add(RETURN, decision.k);
		else add(JUMP, distance(decision));
		places.set(decision, reversed.length);
	}

	place(root);
	return reversed.toReversed();
}
