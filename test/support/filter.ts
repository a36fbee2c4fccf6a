/** Seccomp filters, run as the kernel runs them, and compared by what they answer. Shares nothing with runtime/seccomp. */
import assert from 'node:assert/strict';
import type { Random } from './random.ts';

const BYTES = 8;
/** Of struct seccomp_data, in words of 32 bits: number, architecture, instruction pointer, six arguments. */
const WORDS = 16;
const X32 = 0x40000000;
const HIGHEST = 0xffffffff;
/** AUDIT_ARCH_*: x86_64, i386, arm64, arm, s390x, riscv64, ppc64le. */
const ARCHES = [0xc000003e, 0x40000003, 0xc00000b7, 0x40000028, 0x80000016, 0xc00000f3, 0xc0000015];
const BORDERS = [0, 1, X32 - 1, X32, 2 ** 31 - 1, 2 ** 31, 2 ** 31 + 1, HIGHEST - 1, HIGHEST];

/** What runs of filters looked at, but for number and architecture. */
class Asked {
	/** Indexes of words. */
	readonly words = new Set<number>();
	/** What they were compared or masked with. */
	readonly constants = new Set<number>();
}
/** AND and the comparisons. */
const ASKING = [0x54, 0x15, 0x25, 0x35];

/** Answers to the words of a struct seccomp_data. */
type Filter = (data: readonly number[], asked?: Asked) => number;

export function loadFilter(program: Buffer): Filter {
	const instructions = Array.from({ length: program.length / BYTES }, (_, index) => ({
		code: program.readUInt16LE(index * BYTES),
		jt: program.readUInt8(index * BYTES + 2),
		jf: program.readUInt8(index * BYTES + 3),
		k: program.readUInt32LE(index * BYTES + 4),
	}));
	return (data, asked) => {
		let accumulator = 0;
		let isArgument = false;
		for (let at = 0; ; at++) {
			const { code, jt, jf, k } = instructions[at] ?? assert.fail('the program runs off its end');
			if (isArgument && ASKING.includes(code)) asked?.constants.add(k);
			if (code === 0x06) return k;
			if (code === 0x20) {
				accumulator = data[k / 4] ?? assert.fail(`a load from ${k}`);
				isArgument = k >= 8;
				if (isArgument) asked?.words.add(k / 4);
			} else if (code === 0x54) accumulator = (accumulator & k) >>> 0;
			else if (code === 0x05) at += k;
			else if (code === 0x15) at += accumulator === k ? jt : jf;
			else if (code === 0x25) at += accumulator > k ? jt : jf;
			else if (code === 0x35) at += accumulator >= k ? jt : jf;
			else assert.fail(`unknown instruction ${code}`);
		}
	};
}

/** Every number up to 1024, with and without the bit of x32. */
const EVERY_NUMBER: readonly number[] = Array.from({ length: 1025 }, (_, number) => [
	number,
	X32 + number,
]).flat();

const around = (constants: Iterable<number>): number[] =>
	[...constants].flatMap((k) => [k - 1, k, k + 1]).filter((k) => k >= 0 && k <= HIGHEST);

function constantsOf(program: Buffer): number[] {
	return Array.from({ length: program.length / BYTES }, (_, index) =>
		program.readUInt32LE(index * BYTES + 4),
	);
}

/** For every architecture, number and argument that may make a difference: around each constant, and `numbers`. */
export function assertSameAnswers(one: Buffer, other: Buffer, random: Random, numbers = EVERY_NUMBER): void {
	const pair = [loadFilter(one), loadFilter(other)] as const;
	const near = [...BORDERS, ...around(new Set([...constantsOf(one), ...constantsOf(other)]))];
	const all = new Set([...numbers, ...near]);
	for (const arch of new Set([...ARCHES, ...near]))
		for (const number of ARCHES.includes(arch) ? all : BORDERS) sameForCall(pair, { arch, number }, random);
}

function sameForCall(
	[one, other]: readonly [Filter, Filter],
	{ arch, number }: { readonly arch: number; readonly number: number },
	random: Random,
): void {
	const asked = new Asked();
	const same = (word: (index: number) => number) => {
		const data = Array.from({ length: WORDS }, (_, index) => [number, arch][index] ?? word(index));
		const answer = one(data, asked);
		if (other(data, asked) !== answer) assert.equal(other(data), answer, `the answer to ${data.join(' ')}`);
	};
	same(() => 0);
	for (let before = 0; before < asked.words.size + asked.constants.size; ) {
		before = asked.words.size + asked.constants.size;
		const words = [...BORDERS, ...around(asked.constants)];
		for (const index of asked.words) for (const word of words) same((at) => (at === index ? word : 0));
		for (let round = 0; round < words.length * 2; round++) same(() => random.of(words));
	}
}
