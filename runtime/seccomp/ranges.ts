import type { Decision, Decisions } from './decisions.ts';
import { AT_LEAST, EQUAL } from './instructions.ts';

/** What is compared has 32 bits. */
export const HIGHEST = 0xffffffff;
/** So many numbers are compared one after the other; with more of them, their range is halved. */
const LIST_MAX = 4;

/**
 * The decision that a number in the accumulator leads to. `decide` says it for the numbers from one that it is given
 * to one that it names. However it cuts them into pieces, the same decisions make the same whole.
 */
export async function chooseByRange(
	decide: (first: number) => Promise<{ readonly decision: Decision; readonly last: number }>,
	decisions: Decisions,
): Promise<Decision> {
	const all: Range[] = [];
	for (let first = 0; first <= HIGHEST; ) {
		const { decision, last } = await decide(first);
		const before = all.at(-1);
		if (before?.decision === decision) before.last = last;
		else all.push({ first, last, decision });
		first = last + 1;
	}
	return asTree(
		groups(all).map((group) => ({ first: group[0].first, decision: asList(group, decisions) })),
		decisions,
	);
}

interface Range {
	readonly first: number;
	last: number;
	readonly decision: Decision;
}
/** Neighbours that lead to one decision, but for a few numbers. */
type Group = [Range, ...Range[]];

function groups(all: readonly Range[]): Group[] {
	const made: Group[] = [];
	for (const range of all) {
		const last = made.at(-1);
		if (last !== undefined && isGroup([...last, range])) last.push(range);
		else made.push([range]);
	}
	return made;
}

function isGroup(group: Group): boolean {
	const few = exceptions(group);
	return few.length <= LIST_MAX && few.every((range) => width(range) === 0);
}

const width = ({ first, last }: Range) => last - first;
const widest = (group: Group) => group.reduce((one, other) => (width(other) > width(one) ? other : one));
const exceptions = (group: Group) => {
	const rule = widest(group).decision;
	return group.filter(({ decision }) => decision !== rule);
};

function asList(group: Group, decisions: Decisions): Decision {
	return exceptions(group).reduceRight(
		(rest, { first, decision }) => decisions.comparison(EQUAL, first, decision, rest),
		widest(group).decision,
	);
}

/** Each part reaches from its first number to the next part. */
function asTree(parts: readonly Pick<Range, 'first' | 'decision'>[], decisions: Decisions): Decision {
	const half = parts.length >> 1;
	const { first, decision } = parts[half] as (typeof parts)[number];
	if (half === 0) return decision;
	const [above, below] = [parts.slice(half), parts.slice(0, half)];
	return decisions.comparison(AT_LEAST, first, asTree(above, decisions), asTree(below, decisions));
}
