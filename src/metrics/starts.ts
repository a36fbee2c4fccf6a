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
		help: 'How long all steps of a kind took together, for each launch plan that a shim carried out; hooks_createRuntime attaches the network.',
		labelNames: ['step'],
		buckets: STEP_SECONDS,
		registers,
	});
	return {
		stage: (operation, stage, seconds) => stages.observe({ operation, stage }, seconds),
		planSteps(timings) {
			for (const [step, elapsedNs] of byKind(timings)) steps.observe({ step }, elapsedNs / 1e9);
		},
	};
}

/** A plan has some 90 steps of some 20 kinds: the sums are what one looks for, and cheaper to note. */
function byKind(timings: readonly StepTiming[]): ReadonlyMap<string, number> {
	const sums = new Map<string, number>();
	for (const { kind, elapsedNs } of timings) sums.set(kind, (sums.get(kind) ?? 0) + elapsedNs);
	return sums;
}
