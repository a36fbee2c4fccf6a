import type { Stage } from '../../sandbox/types.ts';
import { duration } from './format.ts';
import { table } from './table.ts';

/** A stage, with the object whose start it belongs to ('' when it is clear). */
export interface TimelineStage extends Stage {
	readonly of: string;
}

const BAR_WIDTH = 40;

/** A row for each stage: when it began, how long it took, and both as a bar. */
export function timelineTable(stages: readonly TimelineStage[]): string {
	const end = Math.max(1, ...stages.map((stage) => stage.startedUs + stage.elapsedUs));
	const columns = [
		{ title: 'OF', value: (stage: TimelineStage) => stage.of },
		{ title: 'STAGE', value: (stage: TimelineStage) => stage.name },
		{ title: 'AT', value: (stage: TimelineStage) => duration(stage.startedUs), right: true },
		{ title: 'TOOK', value: (stage: TimelineStage) => duration(stage.elapsedUs), right: true },
		{ title: '', value: (stage: TimelineStage) => drawn(stage, end) },
	];
	return table(stages, stages.some((stage) => stage.of !== '') ? columns : columns.slice(1));
}

function drawn({ startedUs, elapsedUs }: Stage, end: number): string {
	const from = Math.min(BAR_WIDTH - 1, Math.floor((startedUs / end) * BAR_WIDTH));
	const width = Math.max(1, Math.round((elapsedUs / end) * BAR_WIDTH));
	return `${' '.repeat(from)}${'='.repeat(Math.min(width, BAR_WIDTH - from))}`;
}
