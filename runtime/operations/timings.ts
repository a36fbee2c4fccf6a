import { phaseName } from '../plan/hooks.ts';
import { type Op, opName, type Struct } from '../shim/codec.ts';
import type { StepTiming } from '../types.ts';

/** Timings by kind of step. The wait for START is none: it is the caller's time. */
export function stepTimings(timings: readonly Struct<'timing'>[], plan: readonly Op[]): StepTiming[] {
	return timings
		.map(({ step, op, elapsed_ns }) => ({ kind: kindOf(plan[step], op), elapsedNs: Number(elapsed_ns) }))
		.filter(({ kind }) => kind !== 'wait_start');
}

function kindOf(op: Op | undefined, code: number): string {
	return op?.op === 'hooks' ? `hooks_${phaseName(op.phase)}` : opName(code);
}
