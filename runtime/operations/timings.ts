import { opName, type Struct } from '../shim/codec.ts';
import type { StepTiming } from '../types.ts';

/** Timings with the words of their steps. */
export function stepTimings(timings: readonly Struct<'timing'>[], labels: readonly string[]): StepTiming[] {
	return timings.map(({ step, op, elapsed_ns }) => ({
		step,
		label: labels[step] ?? opName(op),
		elapsedNs: Number(elapsed_ns),
	}));
}
