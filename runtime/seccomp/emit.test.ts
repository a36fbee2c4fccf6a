import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadFilter } from '../../test/support/filter.ts';
import { type Decision, Decisions } from './decisions.ts';
import { emit } from './emit.ts';
import { AND, EQUAL, encodeProgram, JUMP, LOAD } from './instructions.ts';

const FIRST_ARGUMENT = 16;

function answerOf(decision: Decision, data: readonly number[], a = 0): number {
	if (decision.kind === 'answer') return decision.k;
	const { code, k } = decision;
	if (decision.kind === 'comparison') {
		assert.equal(code, EQUAL);
		return answerOf(a === k ? decision.yes : decision.no, data, a);
	}
	return answerOf(decision.next, data, code === LOAD ? data[k / 4] : a & k);
}

test('what two decisions lead to is there once', () => {
	const decisions = new Decisions();
	const shared = decisions.step(
		AND,
		3,
		decisions.comparison(EQUAL, 1, decisions.answer(1), decisions.answer(2)),
	);
	const forked = decisions.comparison(EQUAL, 5, shared, decisions.step(AND, 7, shared));
	assert.equal(emit(decisions.step(LOAD, FIRST_ARGUMENT, forked)).length, 7);
});

/** Two questions at the end, so many steps before them, and before those a comparison that leads to both. */
function farApart(steps: number, decisions: Decisions, isSwapped: boolean): Decision {
	const question = (k: number) =>
		decisions.comparison(EQUAL, k, decisions.answer(k * 10), decisions.answer(k * 10 + 1));
	const [one, other] = [decisions.step(AND, 1, question(1)), decisions.step(AND, 2, question(2))];
	let long = decisions.comparison(EQUAL, 4, one, other);
	for (let step = 0; step < steps; step++) long = decisions.step(AND, 0xffff - step, long);
	const [yes, no] = isSwapped ? [other, one] : [one, other];
	const short = decisions.comparison(EQUAL, 5, yes, no);
	return decisions.step(LOAD, FIRST_ARGUMENT, decisions.comparison(EQUAL, 6, long, short));
}

test('a comparison leads to what is further away than it can jump', () => {
	const jumps = new Set<number>();
	for (let steps = 235; steps < 265; steps++)
		for (const isSwapped of [true, false]) {
			const root = farApart(steps, new Decisions(), isSwapped);
			const program = emit(root);
			jumps.add(program.filter(({ code }) => code === JUMP).length);
			const run = loadFilter(encodeProgram(program));
			for (let argument = 0; argument < 16; argument++) {
				const data = [0, 0, 0, 0, argument];
				assert.equal(run(data), answerOf(root, data), `${argument} after ${steps} steps`);
			}
		}
	assert.deepEqual([...jumps], [0, 1, 2]);
});

test('an answer that is far away is written again', () => {
	const decisions = new Decisions();
	let root = decisions.answer(0);
	for (let k = 1; k <= 600; k++) root = decisions.comparison(EQUAL, k, decisions.answer(k % 2), root);
	const program = emit(decisions.step(LOAD, FIRST_ARGUMENT, root));
	assert.ok(program.every(({ code }) => code !== JUMP));
	const run = loadFilter(encodeProgram(program));
	for (const k of [0, 1, 2, 299, 300, 599, 600, 601])
		assert.equal(run([0, 0, 0, 0, k]), k <= 600 ? k % 2 : 0);
});
