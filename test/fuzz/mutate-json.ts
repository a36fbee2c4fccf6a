import type { Random } from '../support/random.ts';

/** Stands in the value for what JSON.stringify itself could not write. */
const DEEP = '@deep@';
const DEPTH = 10_000;

const STRANGE: readonly unknown[] = [
	...[null, true, false, 0, -1, 1.5, 1e308, 2 ** 53, 2 ** 32, -0, '', ' ', '0', 'constructor', '__proto__'],
	...[
		'x'.repeat(5000),
		'../../x',
		'/x',
		'a\0b',
		'\ud800',
		[],
		{},
		[[]],
		[null],
		[{}],
		{ toString: 1, valueOf: 1 },
	],
	...[{ length: 1e9 }, { $bigint: 'x' }, { $bigint: '5' }, { $bytes: 5 }, DEEP],
];

const STRANGE_KEYS = [
	'__proto__',
	'constructor',
	'toString',
	'length',
	'x',
	'$bigint',
	'$$bytes',
	'',
	'../x',
	'0',
];

/** The bytes as JSON with one value changed; undefined when they are no JSON. */
export function mutateJson(input: Buffer, random: Random): Buffer | undefined {
	let value: unknown;
	try {
		value = JSON.parse(input.toString());
	} catch {
		return undefined;
	}
	for (let times = 1 + random.below(3); times > 0; times--) value = changed(value, random);
	const text = JSON.stringify(value) ?? 'null';
	return Buffer.from(text.replaceAll(`"${DEEP}"`, '['.repeat(DEPTH) + ']'.repeat(DEPTH)));
}

function changed(value: unknown, random: Random): unknown {
	if (typeof value !== 'object' || value === null || random.oneIn(8)) return random.of(STRANGE);
	if (Array.isArray(value)) return changedList(value, random);
	const entries = Object.entries(value);
	const at = random.below(entries.length);
	const [key, inner] = entries[at] ?? ['x', undefined];
	const pairs: [string, unknown][] = entries.map((pair) => pair);
	switch (random.below(6)) {
		case 0:
			pairs.splice(at, 1);
			break;
		case 1:
			pairs[at] = [random.of(STRANGE_KEYS), inner];
			break;
		case 2:
			pairs.push([random.of(STRANGE_KEYS), random.of(STRANGE)]);
			break;
		default:
			pairs[at] = [key, changed(inner, random)];
	}
	return Object.fromEntries(pairs);
}

function changedList(list: readonly unknown[], random: Random): unknown {
	const at = random.below(list.length);
	if (random.oneIn(4)) return [...list, ...list.slice(at)];
	if (random.oneIn(4)) return list.toSpliced(at, 1);
	return list.length === 0 ? [random.of(STRANGE)] : list.with(at, changed(list[at], random));
}
