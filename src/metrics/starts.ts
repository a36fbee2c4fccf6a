import { Histogram, type Registry } from 'prom-client';
import type { StepTiming } from '#runtime';
import { CALL_SECONDS, STEP_SECONDS } from './buckets.ts';

export interface StartMetrics {
	stage(operation: string, stage: string, seconds: number): void;
	/** Steps of a launch plan, as the C program timed them. */
	planSteps(timings: readonly StepTiming[]): void;
}

/** Where the time of a start goes: what `gantry inspect --timeline` shows of one, of all of them. */
export function createStartMetrics(registers: Registry[]): StartMetrics {
	const stages = new Histogram({
		name: 'gantry_stage_duration_seconds',
		help: 'How long the stages of CRI calls took in the daemon.',
		labelNames: ['operation', 'stage'],
		buckets: CALL_SECONDS,
		registers,
	});
	const steps = new Histogram({
		name: 'gantry_plan_step_duration_seconds',
		help: 'How long steps of launch plans took in the shim, by kind; hooks_createRuntime attaches the network.',
		labelNames: ['step'],
		buckets: STEP_SECONDS,
		registers,
	});
	return {
		stage: (operation, stage, seconds) => stages.observe({ operation, stage }, seconds),
		planSteps(timings) {
			for (const { kind, elapsedNs } of timings) steps.observe({ step: kind }, elapsedNs / 1e9);
		},
	};
}
