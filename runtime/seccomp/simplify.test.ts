import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { Turn } from '#base/turns.ts';
import { assertSameAnswers, loadFilter } from '../../test/support/filter.ts';
import { type Random, seeded } from '../../test/support/random.ts';
import { Decisions } from './decisions.ts';
import { emit } from './emit.ts';
import { evaluate, NotUnderstood } from './evaluate.ts';
import {
	AND,
	ARCH_OFFSET,
	AT_LEAST,
	decodeProgram,
	EQUAL,
	encodeProgram,
	GREATER,
	type Instruction,
	JUMP,
	LOAD,
	NUMBER_OFFSET,
	RETURN,
} from './instructions.ts';
import { simplifyFilter } from './simplify.ts';

const [ALLOW, KILL, EPERM] = [0x7fff0000, 0x80000000, 0x00050001];
const [X86_64, X86] = [0xc000003e, 0x40000003];
const ARGUMENT_OFFSET = 16;

const make = (code: number, k: number, jt = 0, jf = 0): Instruction => ({ code, jt, jf, k });
const filter = (...instructions: Instruction[]) => encodeProgram(instructions);
const loadNumber = make(LOAD, NUMBER_OFFSET);
const allow = make(RETURN, ALLOW);
const refuse = make(RETURN, EPERM);

/** Written anew, though it may be longer. */
async function rewritten(program: Buffer): Promise<Buffer> {
	return encodeProgram(emit(await evaluate(decodeProgram(program), new Decisions(), new Turn())));
}
const size = (program: Buffer) => program.length / filter(allow).length;

test('neighbours with one answer become a range, whose bounds are all that is compared', async () => {
	const listed = Array.from({ length: 100 }, (_, index) => make(EQUAL, index + 50, 100 - index));
	const program = filter(loadNumber, ...listed, refuse, allow);
	const simplified = await simplifyFilter(program);
	assert.equal(size(simplified), 5); // load, two bounds, two answers
	assertSameAnswers(program, simplified, seeded(1));
});

test('the same answer for all is that answer', async () => {
	const program = filter(
		loadNumber,
		make(GREATER, 7, 0, 1),
		allow,
		make(LOAD, ARCH_OFFSET),
		make(EQUAL, X86, 0, 0),
		allow,
	);
	assert.deepEqual(await simplifyFilter(program), filter(allow));
});

test('what depends on arguments is asked in the same way, and once for all numbers that ask it', async () => {
	const question = (k: number) => [
		make(LOAD, ARGUMENT_OFFSET + 4),
		make(AND, 0xf0),
		make(EQUAL, k, 0, 3),
		make(LOAD, ARGUMENT_OFFSET),
		make(GREATER, 5, 1, 0),
		allow,
		refuse,
	];
	const program = filter(
		loadNumber,
		make(EQUAL, 10, 2),
		make(EQUAL, 20, 8),
		make(EQUAL, 30, 0, 14),
		...question(0x10),
		...question(0x10),
		allow,
	);
	const simplified = await simplifyFilter(program);
	assert.ok(size(simplified) < 14, `${size(simplified)} instructions`);
	assertSameAnswers(program, simplified, seeded(2));
});

test('every answer is kept with its data', async () => {
	const answers = [0, KILL, 0x00030000, EPERM, 0x00050fff, 0x7fc00000, 0x7ff01234, 0x7ffc0000, ALLOW];
	const program = filter(
		make(LOAD, ARCH_OFFSET),
		make(EQUAL, X86_64, 1),
		make(RETURN, KILL),
		loadNumber,
		...answers.flatMap((answer, index) => [
			make(AT_LEAST, index * 10, 0, 2),
			make(AT_LEAST, index * 10 + 10, 1),
			make(RETURN, answer),
		]),
		allow,
	);
	const simplified = await simplifyFilter(program);
	assert.ok(simplified.length < program.length);
	assertSameAnswers(program, simplified, seeded(3));
	for (const [index, answer] of answers.entries())
		assert.equal(loadFilter(simplified)([index * 10 + 3, X86_64]), answer);
});

for (const [what, program] of Object.entries({
	'no instructions': filter(),
	'no answer at the end': filter(loadNumber, make(EQUAL, 1, 1), allow),
	'a jump past the end': filter(loadNumber, make(JUMP, 5), allow),
	'arithmetic with a number': filter(loadNumber, make(AND, 0xff), make(EQUAL, 1, 1), allow, refuse),
	'arithmetic with an architecture': filter(
		make(LOAD, ARCH_OFFSET),
		make(AND, 0xff),
		make(EQUAL, 3, 1),
		allow,
		refuse,
	),
	'a comparison of bits': filter(loadNumber, make(0x45, 1, 1), allow, refuse),
	'scratch memory': filter(loadNumber, make(0x02, 0), make(0x60, 0), make(EQUAL, 1, 1), allow, refuse),
	'an answer from the accumulator': filter(loadNumber, make(0x16, 0)),
	'the other byte order': filter(loadNumber, make(EQUAL, 1, 1), allow, refuse).swap16(),
	'more comparisons of arguments, one after the other, than are followed': filter(
		make(LOAD, ARGUMENT_OFFSET),
		...Array.from({ length: 1500 }, (_, index) => [make(EQUAL, index, 0, 1), make(RETURN, index)]).flat(),
		allow,
	),
	'more work than there is time for': filter(
		make(LOAD, ARCH_OFFSET),
		...Array.from({ length: 1000 }, (_, index) => make(EQUAL, index, 0, 0)),
		loadNumber,
		...Array.from({ length: 1000 }, (_, index) => [make(EQUAL, index, 0, 1), make(RETURN, index)]).flat(),
		allow,
	),
	'what is short already': filter(make(LOAD, ARCH_OFFSET), make(EQUAL, X86_64, 0, 1), allow, refuse),
})) {
	test(`a program stays as it is: ${what}`, async () => assert.equal(await simplifyFilter(program), program));
}

/** Ends in bounds, as all do that the kernel takes; most of it is reached in several ways. */
function randomProgram(random: Random): Buffer {
	const length = 5 + random.below(random.of([10, 50, 300]));
	const constants = [0, 1, 2, 7, 8, 9, 0x40000001, X86, X86_64, 0xffffffff, random.below(2 ** 32)];
	const ofArgument = () => make(LOAD, ARGUMENT_OFFSET + 4 * random.below(12));
	const near = (left: number) => random.below(Math.min(left, random.of([1, 3, 20, 256])));
	const instruction = (left: number): Instruction[] => {
		if (random.oneIn(8)) return [random.of([loadNumber, make(LOAD, ARCH_OFFSET), ofArgument()])];
		if (random.oneIn(12) && left > 3)
			return [
				ofArgument(),
				make(AND, random.of(constants)),
				make(EQUAL, random.of(constants), near(left - 2), near(left - 2)),
			];
		if (random.oneIn(20)) return [make(JUMP, near(left))];
		if (random.oneIn(6)) return [make(RETURN, random.of([ALLOW, EPERM, KILL, random.below(2 ** 32)]))];
		return [make(random.of([EQUAL, GREATER, AT_LEAST]), random.of(constants), near(left), near(left))];
	};
	const program: Instruction[] = [random.of([loadNumber, make(LOAD, ARCH_OFFSET)])];
	while (program.length < length) program.push(...instruction(length - program.length));
	return encodeProgram([...program, allow]);
}

test('other work has its turn meanwhile', async () => {
	const listed = Array.from({ length: 900 }, (_, index) => [
		make(EQUAL, index, 0, 1),
		make(RETURN, index < 500 ? EPERM : KILL),
	]);
	const program = filter(loadNumber, ...listed.flat(), allow);
	let simplified: Buffer | undefined;
	const done = simplifyFilter(program).then((result) => {
		simplified = result;
	});
	let turns = 0;
	for (; simplified === undefined; turns++) await setImmediate();
	await done;
	assert.ok(simplified.length < program.length);
	assert.ok(turns > 2, `${turns} turns`);
});

test('programs made at random answer as before', async () => {
	const random = seeded(Number(process.env.GANTRY_TEST_SEED ?? 5));
	let understood = 0;
	for (let round = 0; round < 40; round++) {
		const program = randomProgram(random);
		try {
			assertSameAnswers(program, await rewritten(program), random, []);
			understood++;
		} catch (error) {
			if (!(error instanceof NotUnderstood)) throw error;
		}
	}
	assert.ok(understood > 20, `${understood} were understood`);
});
