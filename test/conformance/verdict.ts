/** Whether a run of critest is good: what failed or was skipped that no exception explains, and what passed in spite of one. */
import type { Exception } from './exceptions.ts';
import type { Spec } from './specs.ts';

export interface Verdict {
	readonly passed: readonly Spec[];
	/** Failed or skipped, as an exception says. */
	readonly accepted: readonly { readonly spec: Spec; readonly exception: Exception }[];
	/** Failed or skipped for another reason, or for none that is known. */
	readonly unexpected: readonly Spec[];
	/** Passed though an exception says that they cannot. Not a failure: another machine may have what is missing elsewhere. */
	readonly surprises: readonly Spec[];
	readonly good: boolean;
}

export function judge(specs: readonly Spec[], exceptions: readonly Exception[]): Verdict {
	const passed = specs.filter(({ outcome }) => outcome === 'passed');
	const others = specs.filter(({ outcome }) => outcome !== 'passed');
	const judged = others.map((spec) => ({ spec, exception: exceptions.find((one) => explains(one, spec)) }));
	const unexpected = judged.filter(({ exception }) => exception === undefined).map(({ spec }) => spec);
	return {
		passed,
		accepted: judged.flatMap(({ spec, exception }) => (exception === undefined ? [] : [{ spec, exception }])),
		unexpected,
		surprises: passed.filter(({ name }) => exceptions.some(({ spec }) => spec.test(name))),
		good: unexpected.length === 0 && passed.length > 0,
	};
}

function explains({ spec, outcome, says }: Exception, one: Spec): boolean {
	return outcome === one.outcome && spec.test(one.name) && says.test(one.says);
}
