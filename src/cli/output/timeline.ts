import type { Span } from '../timeline.ts';
import { duration } from './format.ts';
import { table } from './table.ts';

const BAR_WIDTH = 40;
const LABEL_WIDTH = 56;
/** Of a stage, of a step of the plan, of a step of the network. */
const BARS = ['█', '▓', '░'] as const;
/** Steps that take less of the whole than this are told together. */
const SHORT = 0.005;

interface Row {
	readonly span: Omit<Span, 'steps'>;
	readonly depth: number;
	/** Where it begins in the picture, which leaves out the time in which nothing was done. */
	readonly atUs: number;
}

/** A row for each stage and step: when it began, how long it took, and both as a bar. */
export function timelineTable(stages: readonly Span[]): string {
	const busyUs = Math.max(1, lengthOf(stages));
	return table(rowsOf(stages, busyUs * SHORT), [
		{ title: 'STAGE', value: ({ span, depth }) => shortened(`${'  '.repeat(depth)}${span.name}`) },
		{ title: 'AT', value: ({ span }) => duration(span.startedUs), right: true },
		{ title: 'TOOK', value: ({ span }) => duration(span.elapsedUs), right: true },
		{ title: '', value: (row) => drawn(row, busyUs) },
	]);
}

const endOf = ({ startedUs, elapsedUs }: Omit<Span, 'steps'>): number => startedUs + elapsedUs;

/** Between the creation of a container and its start any time may pass. */
const pausesBefore = (stages: readonly Span[]): readonly number[] => {
	let [idleUs, endUs] = [0, 0];
	return stages.map((stage) => {
		idleUs += Math.max(0, stage.startedUs - endUs);
		endUs = Math.max(endUs, endOf(stage));
		return idleUs;
	});
};

function lengthOf(stages: readonly Span[]): number {
	return Math.max(0, ...stages.map(endOf)) - (pausesBefore(stages).at(-1) ?? 0);
}

function rowsOf(stages: readonly Span[], shortUs: number): Row[] {
	const pauses = pausesBefore(stages);
	const below = (span: Span, depth: number, pauseUs: number): Row[] => [
		{ span, depth, atUs: span.startedUs - pauseUs },
		...together(span.steps, shortUs).flatMap((step) => below(step, depth + 1, pauseUs)),
	];
	return stages.flatMap((stage, index) => below(stage, 0, pauses[index] ?? 0));
}

/** Short steps that follow each other become one. */
function together(steps: readonly Span[], shortUs: number): Span[] {
	const groups: Span[][] = [];
	for (const step of steps) {
		const group = groups.at(-1);
		const before = group?.at(-1);
		const joins = before !== undefined && step.elapsedUs < shortUs && before.elapsedUs < shortUs;
		if (joins) group?.push(step);
		else groups.push([step]);
	}
	return groups.map(oneOf);
}

function oneOf(group: readonly Span[]): Span {
	const [first, ...others] = group;
	if (first === undefined || others.length === 0) return first as Span;
	const elapsedUs = group.reduce((sum, step) => sum + step.elapsedUs, 0);
	return { name: `${group.length} short steps`, startedUs: first.startedUs, elapsedUs, steps: [] };
}

const shortened = (label: string): string =>
	label.length <= LABEL_WIDTH ? label : `${label.slice(0, LABEL_WIDTH - 1)}…`;

function drawn({ span, depth, atUs }: Row, busyUs: number): string {
	const from = Math.min(BAR_WIDTH - 1, Math.floor((atUs / busyUs) * BAR_WIDTH));
	const width = Math.max(1, Math.round((span.elapsedUs / busyUs) * BAR_WIDTH));
	return `${' '.repeat(from)}${(BARS[depth] ?? BARS[2]).repeat(Math.min(width, BAR_WIDTH - from))}`;
}
