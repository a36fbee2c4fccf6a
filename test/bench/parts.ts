/** The parts one after the other. An error in one costs that part, not what was or will be measured. */
import { removeCgroup } from './cgroups.ts';
import { type Endpoint, removePods } from './endpoint.ts';
import type { Bench, Part } from './part.ts';

export interface Failure {
	/** The part that was under way. */
	readonly part: string;
	readonly error: unknown;
}

/** Runs the parts that the options ask for, and says what failed. A failed part's pods are gone before the next one. */
export async function runParts(parts: Readonly<Record<string, Part>>, bench: Bench): Promise<Failure[]> {
	const wanted = bench.options.parts;
	const failures: Failure[] = [];
	for (const [name, part] of Object.entries(parts)) {
		if (wanted.length > 0 && !wanted.includes(name)) continue;
		console.error(`bench: ${name} …`);
		try {
			await part(bench);
		} catch (error) {
			const tidied = await Promise.allSettled(bench.endpoints.map(tidy));
			const errors = [
				error,
				...tidied.flatMap((result) => (result.status === 'rejected' ? [result.reason] : [])),
			];
			failures.push(...errors.map((each) => ({ part: name, error: each })));
		}
	}
	return failures;
}

async function tidy({ cri, cgroupParent }: Endpoint): Promise<void> {
	await removePods(cri);
	removeCgroup(cgroupParent);
}

/** One paragraph for each failure, with its causes. */
export function drawFailures(failures: readonly Failure[]): string {
	return failures
		.map(({ part, error }) => `FAILED: ${part}: ${[...wordsOf(error)].join('\n  because: ')}`)
		.join('\n');
}

function* wordsOf(error: unknown): Generator<string> {
	yield error instanceof Error ? error.message : String(error);
	if (error instanceof AggregateError) for (const each of error.errors) yield* wordsOf(each);
	if (error instanceof Error && error.cause !== undefined) yield* wordsOf(error.cause);
}
