import { readSpec } from '../bundle.ts';
import type { Struct } from '../shim/codec.ts';
import { explain } from '../shim/errors.ts';
import type { CallOptions, StepTiming } from '../types.ts';
import type { ShimContext } from './context.ts';
import { programError } from './program-error.ts';
import { canStart, explainRefusal } from './state.ts';
import { stepTimings } from './timings.ts';

/**
 * OCI start: one message to a process that waits at its exec. NOT_FOUND when the program does not exist,
 * PERMISSION_DENIED when it may not be executed, FAILED_PRECONDITION when it is no program or the container is not
 * in the state created.
 */
export async function startContainer(
	shim: ShimContext,
	id: string,
	{ signal }: CallOptions = {},
): Promise<{ startedAtNs: bigint; timings: readonly StepTiming[] }> {
	try {
		const started = await shim.connection.request('START', { id }, 'STARTED', signal);
		if (started.hook_error !== '')
			shim.log.warn('poststart hooks failed', { id, hookError: started.hook_error });
		return { startedAtNs: started.started_at_ns, timings: lastTimings(shim, id, started.timings) };
	} catch (error) {
		throw await explainStart(shim, id, error);
	}
}

function lastTimings({ made }: ShimContext, id: string, timings: readonly Struct<'timing'>[]): StepTiming[] {
	const container = made.get(id);
	if (container === undefined) return stepTimings(timings, []);
	container.file.add(timings, true);
	made.set(id, { ...container, plan: [] });
	return stepTimings(timings, container.plan);
}

async function explainStart(shim: ShimContext, id: string, error: unknown): Promise<unknown> {
	const what = `start container ${id}`;
	const program = await programOf(shim, id);
	return (
		programError(what, program, error) ??
		(await explainRefusal(shim, id, 'start', error, canStart)) ??
		explain(what, error)
	);
}

async function programOf(shim: ShimContext, id: string): Promise<string> {
	const bundle = shim.bundleOf(id);
	const spec = bundle === undefined ? undefined : await readSpec(bundle).catch(() => undefined);
	return spec?.process?.args[0] ?? '';
}
