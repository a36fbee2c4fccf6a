import { failedPrecondition, invalidArgument, StatusError, unavailable } from '#base/errors.ts';
import { newId } from '#base/ids.ts';
import type { ExecOptions, ProcessStream, Shim } from '#runtime';
import { within } from '../sandbox/clean-up.ts';
import type { Daemon } from '../server/types.ts';
import { specOf } from './bundle-spec.ts';
import type { Containers } from './containers.ts';
import { type Container, stateName, stateOf } from './types.ts';

/** How long after a command that cannot be made its container may be found to have ended. */
const END_MS = 500;

/** The shim of a container that runs. `what` follows "Cannot": `run a command in`. FAILED_PRECONDITION otherwise. */
export function runningShim({ sandboxes }: Daemon, { metadata, status }: Container, what: string): Shim {
	const { id, sandboxId } = metadata;
	if (status.removing) throw failedPrecondition(`Cannot ${what} container ${id}: it is being removed`);
	if (stateOf(status) !== 'CONTAINER_RUNNING')
		throw failedPrecondition(`Cannot ${what} container ${id}: it is ${stateName(status)}`);
	const shim = sandboxes.shims.get(sandboxId);
	if (shim === undefined) throw unavailable(`Cannot ${what} container ${id}: its shim is gone`);
	return shim;
}

export type CommandOptions = Pick<ExecOptions, 'timeoutMs' | 'signal' | 'stdin' | 'terminal'>;

/**
 * Runs a command beside the container's process; it is killed when the stream is disposed of before its end.
 *
 * @throws INVALID_ARGUMENT when there is no such program, FAILED_PRECONDITION when the container does not run.
 */
export async function openExec(
	daemon: Daemon,
	container: Container,
	args: readonly string[],
	options: CommandOptions,
): Promise<ProcessStream> {
	const { appArmor, containers } = daemon;
	const { metadata } = container;
	const shim = runningShim(daemon, container, 'run a command in');
	const spec = await specOf(metadata);
	await appArmor.keepLoaded(spec.process?.apparmorProfile);
	const { terminal = false } = options;
	try {
		return await shim.exec({
			...options,
			containerId: metadata.id,
			execId: newId(),
			spec,
			process: { args, terminal, ...(terminal && { env: withTerm(spec.process?.env ?? []) }) },
			killOnClose: true,
		});
	} catch (error) {
		if (isOdd(error) && (await endsSoon(containers, metadata.id)))
			throw failedPrecondition(`Cannot run a command in container ${metadata.id}: it ended meanwhile`, {
				cause: error,
			});
		const state = containers.get(metadata.id)?.status;
		const runs = state !== undefined && stateOf(state) === 'CONTAINER_RUNNING';
		// The program is what was not found; NOT_FOUND would say that there is no such container.
		if (!(error instanceof StatusError) || error.condition !== 'NOT_FOUND' || !runs) throw error;
		throw invalidArgument(error.message, { cause: error });
	}
}

/** The container's own process may have no terminal, and so nothing to say about it. */
function withTerm(env: readonly string[]): readonly string[] {
	return env.some((entry) => entry.startsWith('TERM=')) ? env : [...env, 'TERM=xterm'];
}

const isOdd = (error: unknown): boolean => error instanceof StatusError && error.condition === 'INTERNAL';

/** What ends a container also ends, or keeps from joining it, what is being made in it; its end is told after that. */
async function endsSoon(containers: Containers, id: string): Promise<boolean> {
	return await within('wait for an end', END_MS, () => containers.exited(id)).then(
		() => true,
		() => false,
	);
}
