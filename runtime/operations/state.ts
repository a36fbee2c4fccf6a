import { failedPrecondition, notFound } from '#base/errors.ts';
import type { Message, Struct } from '../shim/codec.ts';
import { ProtocolError } from '../shim/errors.ts';
import { CONSTANTS } from '../shim/schema.ts';
import type { ContainerPhase, ExitRecord, ShimContainer } from '../types.ts';
import type { ShimContext } from './context.ts';

/** OCI runtime.md, "Operations": which phase allows what. */
export const canStart = (phase: ContainerPhase): boolean => phase === 'created';
export const canKill = (phase: ContainerPhase): boolean => phase !== 'stopped';
/** The specification says nothing of it: the namespaces are there once the container is created. */
export const canExec = (phase: ContainerPhase): boolean => phase !== 'stopped';
/** The specification allows it for stopped containers; this one stops what is left first. */
export const canDelete = (_phase: ContainerPhase): boolean => true;

const PHASES: Readonly<Record<number, ContainerPhase>> = {
	[CONSTANTS.STATE_CREATED]: 'created',
	[CONSTANTS.STATE_RUNNING]: 'running',
	[CONSTANTS.STATE_STOPPED]: 'stopped',
};

/** All containers of the shim. */
export async function listContainers({ connection }: ShimContext): Promise<ShimContainer[]> {
	return containersOf(await connection.request('LIST', {}, 'LISTED'));
}

export function containersOf(listed: Message<'LISTED'>): ShimContainer[] {
	return listed.containers.map((state) => ({
		id: state.id,
		process: { pid: state.pid, startTime: state.start_time },
		phase: PHASES[state.state] ?? 'stopped',
		startedAtNs: state.started_at_ns === 0n ? undefined : state.started_at_ns,
		exit: state.state === CONSTANTS.STATE_STOPPED ? exitOf(state) : undefined,
	}));
}

export function exitOf(state: Struct<'container_state'> | Message<'EXITED'>): ExitRecord {
	return {
		id: state.id,
		pid: state.pid,
		exitCode: state.exit_code,
		signal: state.signal,
		exitedAtNs: state.exited_at_ns,
	};
}

/**
 * Why the shim refused an operation without carrying out any step: the container is not there, or in the wrong
 * state. undefined when neither is the reason. Asked only after a failure, so success costs no round trip.
 */
export async function explainRefusal(
	shim: ShimContext,
	id: string,
	verb: string,
	error: unknown,
	isAllowed: (phase: ContainerPhase) => boolean,
): Promise<Error | undefined> {
	if (!(error instanceof ProtocolError) || error.step !== undefined) return undefined;
	const containers = await listContainers(shim);
	const found = containers.find((container) => container.id === id);
	if (found === undefined)
		return notFound(`Cannot ${verb} container ${id}: its shim has no such container`, { cause: error });
	if (isAllowed(found.phase)) return undefined;
	return failedPrecondition(`Cannot ${verb} container ${id}: it is ${found.phase}`, { cause: error });
}
