import type { Stage } from '../../sandbox/types.ts';
import { duration } from './format.ts';
import { table } from './table.ts';

const BAR_WIDTH = 40;

/** A row for each stage: when it began, how long it took, and both as a bar. */
export function timelineTable(stages: readonly Stage[]): string {
	const end = Math.max(1, ...stages.map((stage) => stage.startedUs + stage.elapsedUs));
	return table(stages, [
		{ title: 'STAGE', value: (stage) => stage.name },
		{ title: 'AT', value: (stage) => duration(stage.startedUs), right: true },
		{ title: 'TOOK', value: (stage) => duration(stage.elapsedUs), right: true },
		{ title: '', value: (stage) => drawn(stage, end) },
	]);
}

function drawn({ startedUs, elapsedUs }: Stage, end: number): string {
	const from = Math.min(BAR_WIDTH - 1, Math.floor((startedUs / end) * BAR_WIDTH));
	const width = Math.max(1, Math.round((elapsedUs / end) * BAR_WIDTH));
	return `${' '.repeat(from)}${'='.repeat(Math.min(width, BAR_WIDTH - from))}`;
}
