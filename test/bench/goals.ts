/** What Gantry wants to reach, and what of it a run has shown. */
import { type Figure, ratio } from './figures.ts';
import { align, show } from './table.ts';

type Goal = { readonly part: string; readonly name: string } & (
	| { readonly times: number }
	| { readonly most: number }
	| { readonly least: number }
);

const GOALS: readonly Goal[] = [
	{ part: 'calls, one client', name: 'pod ready', times: 10 },
	{ part: 'whole lives', name: 'pod ready, 4 clients', times: 10 },
	{ part: 'whole lives', name: '1 client', times: 10 },
	{ part: 'whole lives', name: '4 clients', times: 10 },
	{ part: 'whole lives', name: '16 clients', times: 10 },
	{ part: 'calls, one client', name: 'ExecSync true', times: 7 },
	{ part: 'calls, one client', name: 'Stop + RemoveContainer', times: 8 },
	{ part: 'calls, one client', name: 'Stop + RemovePodSandbox', times: 8 },
	{ part: 'lists', name: 'ListContainers at 300', most: 2 },
	{ part: 'lists', name: 'ListContainerStats at 100', most: 30 },
	{ part: 'lists', name: 'longest wait of Version meanwhile, at 100', most: 5 },
	{ part: 'logs', name: 'short lines (100 B)', least: 300 },
	{ part: 'logs', name: 'long lines (10 kB)', least: 300 },
	{ part: 'logs', name: 'daemon CPU, short lines (100 B)', most: 0.1 },
	{ part: 'logs', name: 'daemon CPU, long lines (10 kB)', most: 0.1 },
	{ part: 'pull of 150 MB', name: '10000 files', times: 1.3 },
	{ part: 'pull of 150 MB', name: '3 large files', times: 1.3 },
	{ part: 'pull of 150 MB', name: '30 thin layers', times: 1.3 },
	{ part: 'memory', name: 'outside the containers, a pod (PSS)', most: 500 },
	{ part: 'memory', name: 'daemon with 100 pods (RSS)', most: 90 },
	{ part: 'daemon start', name: 'without pods', most: 500 },
	{ part: 'daemon start', name: 'with 100 pods', most: 1000 },
];

/** The figures that have a goal, in the order of the goals. */
export function figuresWithGoals(figures: readonly Figure[]): { goal: Goal; figure: Figure }[] {
	return GOALS.flatMap((goal) => {
		const figure = figures.find(({ part, name }) => part === goal.part && name === goal.name);
		return figure === undefined ? [] : [{ goal, figure }];
	});
}

/** A row for each goal that was measured. Empty when there is none. */
export function drawGoals(
	figures: readonly Figure[],
	endpoints: readonly string[],
	peer: string | undefined,
): string {
	const own = endpoints.filter((name) => name !== peer);
	const rows = figuresWithGoals(figures).map(({ goal, figure }) => [
		`${figure.part}: ${figure.name}`,
		wordsOf(goal, figure.unit),
		...own.flatMap((name) => {
			const reached = 'times' in goal ? ratio(figure, name, peer ?? '') : figure.values[name]?.p50;
			return [show(reached), reached === undefined ? '' : isReached(goal, reached) ? 'reached' : 'missed'];
		}),
	]);
	if (rows.length === 0) return '';
	return align([['reach (medians)', 'goal', ...own.flatMap((name) => [name, ''])], ...rows]);
}

function wordsOf(goal: Goal, unit: string): string {
	if ('times' in goal) return `≥ ${goal.times} ×`;
	return 'most' in goal ? `≤ ${goal.most} ${unit}` : `≥ ${goal.least} ${unit}`;
}

function isReached(goal: Goal, value: number): boolean {
	if ('times' in goal) return value >= goal.times;
	return 'most' in goal ? value <= goal.most : value >= goal.least;
}
