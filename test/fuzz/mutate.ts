import type { Random } from '../support/random.ts';
import { mutateJson } from './mutate-json.ts';
import { MAX_INPUT_BYTES } from './target.ts';

/** What parsers have tripped over before: ends, climbs, numbers at the border, names that every object has. */
const TOKENS = [
	...[
		'\0',
		'\n',
		'\r\n',
		'\t',
		' ',
		'"',
		"'",
		'\\',
		'/',
		'//',
		'../',
		'..',
		'.',
		':',
		'@',
		'=',
		',',
		';',
		'#',
	],
	...['-1', '0', '00', '1e309', '0x10', '-0', 'NaN', '65536', '2147483648', '4294967295', '4294967296'],
	...[
		'9007199254740993',
		'18446744073709551616',
		'__proto__',
		'constructor',
		'toString',
		'valueOf',
		'length',
	],
	...['null', 'true', '{}', '[]', '%00', '\u202e', '\ufeff', 'ü', '☃'],
].map((token) => Buffer.from(token));

/** Numbers that mean lengths and counts in binary formats. */
const NUMBERS = [
	0, 1, 3, 4, 7, 8, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff,
];

const NONE = new Uint8Array();

export interface MutateOptions {
	readonly pool: readonly Buffer[];
	readonly tokens: readonly Buffer[];
	readonly random: Random;
}

/** A new input, mostly a little different from one of the pool, seldom very different or very large. */
export function mutate({ pool, tokens, random }: MutateOptions): Buffer {
	const base = random.of(pool);
	const asJson = random.oneIn(2) ? mutateJson(base, random) : undefined;
	if (asJson !== undefined && random.below(4) > 0) return asJson.subarray(0, MAX_INPUT_BYTES);
	let input = asJson ?? Buffer.from(base);
	const words = tokens.length > 0 && random.oneIn(2) ? tokens : TOKENS;
	for (let times = 1 + random.below(random.oneIn(8) ? 16 : 3); times > 0; times--)
		input = random.of(MUTATIONS)(input, { pool, tokens: words, random });
	if (random.oneIn(100)) input = blowUp(input, random);
	return input.subarray(0, MAX_INPUT_BYTES);
}

type Mutation = (input: Buffer, options: MutateOptions) => Buffer;

function flipBit(input: Buffer, { random }: MutateOptions): Buffer {
	const at = random.below(input.length);
	if (input.length > 0) input[at] = (input[at] ?? 0) ^ (1 << random.below(8));
	return input;
}

function changeByte(input: Buffer, { random }: MutateOptions): Buffer {
	if (input.length > 0) input[random.below(input.length)] = random.below(256);
	return input;
}

function putNumber(input: Buffer, { random }: MutateOptions): Buffer {
	if (input.length < 4) return input;
	const value = random.oneIn(4) ? input.length + random.below(17) - 8 : random.of(NUMBERS);
	const at = random.below(input.length - 3) & (random.oneIn(2) ? ~3 : ~0);
	if (random.oneIn(3)) input.writeUInt16LE(value & 0xffff, at);
	else input.writeUInt32LE(value >>> 0, at);
	return input;
}

const cut = (input: Buffer, at: number, removed: number, put: Uint8Array): Buffer =>
	Buffer.concat([input.subarray(0, at), put, input.subarray(at + removed)]);

const insertToken: Mutation = (input, { tokens, random }) =>
	cut(input, random.below(input.length + 1), 0, random.of(tokens));

const replaceByToken: Mutation = (input, { tokens, random }) =>
	cut(input, random.below(input.length + 1), 1 + random.below(8), random.of(tokens));

function removeSome(input: Buffer, { random }: MutateOptions): Buffer {
	return cut(input, random.below(input.length), 1 + random.below(random.oneIn(4) ? input.length : 8), NONE);
}

function repeatSome(input: Buffer, { random }: MutateOptions): Buffer {
	const at = random.below(input.length);
	return cut(input, at, 0, input.subarray(at, at + 1 + random.below(64)));
}

function truncate(input: Buffer, { random }: MutateOptions): Buffer {
	return random.oneIn(2)
		? input.subarray(0, random.below(input.length))
		: input.subarray(random.below(input.length));
}

function splice(input: Buffer, { pool, random }: MutateOptions): Buffer {
	const other = random.of(pool);
	const from = random.below(other.length);
	return cut(
		input,
		random.below(input.length + 1),
		random.below(16),
		other.subarray(from, from + 1 + random.below(200)),
	);
}

function swapLines(input: Buffer, { random }: MutateOptions): Buffer {
	const lines = input.toString('latin1').split('\n');
	const [one, other] = [random.below(lines.length), random.below(lines.length)];
	[lines[one], lines[other]] = [lines[other] ?? '', random.oneIn(2) ? '' : (lines[one] ?? '')];
	return Buffer.from(lines.join('\n'), 'latin1');
}

/** What patterns of names, numbers and spaces match over and over. */
const MATCHED = ['  ', '\t', 'a', '0', 'a.', '-', '/', '\\', '"', ',', '(', '[', '=', '\n'].map((one) =>
	Buffer.from(one),
);

/** A short piece, many times: what takes the square of its length shows. */
function blowUp(input: Buffer, random: Random): Buffer {
	const at = random.below(input.length);
	const piece = random.oneIn(2) ? random.of(MATCHED) : input.subarray(at, at + 1 + random.below(4));
	if (piece.length === 0) return input;
	const times = Math.floor((MAX_INPUT_BYTES - Math.min(input.length, MAX_INPUT_BYTES)) / piece.length);
	return cut(input, at, 0, Buffer.alloc(times * piece.length, piece));
}

/** Twice: most formats are of words. */
const MUTATIONS: readonly Mutation[] = [
	flipBit,
	changeByte,
	putNumber,
	insertToken,
	insertToken,
	replaceByToken,
	removeSome,
	repeatSome,
	truncate,
	splice,
	swapLines,
];
