import type { TimedStep } from '#runtime';
import type { Stage } from '../sandbox/types.ts';

/** Something that took time, and what it consists of. */
export interface Span extends Stage {
	readonly steps: readonly Span[];
}

/** What the bundle of a pod or container tells of its start. */
export interface Steps {
	/** Of the launch plan, in C. */
	readonly plan: readonly TimedStep[];
	/** Of the network plan, carried out by the createRuntime hook. */
	readonly network: readonly TimedStep[];
}

/** The label of the step where a created process waits for its start. */
const WAIT = 'wait for start';
const BEFORE = '(before its steps)';
const NETWORK_HOOK = /^run the createRuntime hooks/;

/**
 * The stages of the daemon, below `create` and `start` the steps of the launch plan, and below the hook those of the
 * network. Steps are measured one by one and run one after the other: they are put up against the end of what they
 * belong to. What is left before them is the work of the daemon (the plan, the bundle) or the start of the hook, and
 * the way of the message.
 */
export function timelineOf(stages: readonly Stage[], { plan, network }: Steps): Span[] {
	const waits = plan.findIndex(({ label }) => label === WAIT);
	const until = waits === -1 ? plan.length : waits;
	const stepsOf: Readonly<Record<string, readonly TimedStep[]>> = {
		create: plan.slice(0, until),
		start: plan.slice(until + 1),
	};
	const inPlan = (step: Stage): Span => ({
		...step,
		steps: NETWORK_HOOK.test(step.name) ? placed(network, step).map(alone) : [],
	});
	return stages.map((stage) => ({ ...stage, steps: placed(stepsOf[stage.name] ?? [], stage).map(inPlan) }));
}

const alone = (stage: Stage): Span => ({ ...stage, steps: [] });

function placed(steps: readonly TimedStep[], { startedUs, elapsedUs }: Stage): Stage[] {
	const timed = steps.flatMap(({ label, elapsedUs: took }) => (took === undefined ? [] : [{ label, took }]));
	const sum = timed.reduce((total, { took }) => total + took, 0);
	if (timed.length === 0) return [];
	let at = startedUs + Math.max(0, elapsedUs - sum);
	const before = { name: BEFORE, startedUs, elapsedUs: at - startedUs };
	const stages = timed.map(({ label, took }) => {
		const stage = { name: label, startedUs: at, elapsedUs: took };
		at += took;
		return stage;
	});
	return before.elapsedUs > 0 ? [before, ...stages] : stages;
}
