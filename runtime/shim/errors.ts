import { constants } from 'node:os';
import {
	cancelled,
	deadlineExceeded,
	failedPrecondition,
	internal,
	invalidArgument,
	isNoRoom,
	resourceExhausted,
	unavailable,
} from '#base/errors.ts';
import { describeOp } from '../plan/describe.ts';
import { type Message, type Op, opName } from './codec.ts';
import { CONSTANTS } from './schema.ts';

const ERRNO_NAMES = new Map(Object.entries(constants.errno).map(([name, value]) => [value, name]));
/** Other names of the same number: the kernel's documentation uses the first. */
for (const name of ['EAGAIN', 'EOPNOTSUPP'] as const) ERRNO_NAMES.set(constants.errno[name], name);

/** `EPERM` for 1. */
export function errnoName(errno: number): string {
	return ERRNO_NAMES.get(errno) ?? `errno ${errno}`;
}

/** An ERROR reply, before it is known what it means for the call. */
export class ProtocolError extends Error {
	readonly errno: string;
	/** Index of the failed plan step; undefined when no step failed. */
	readonly step: number | undefined;
	readonly op: string;
	readonly detail: string;

	constructor({ errno, step, op, detail }: Message<'ERROR'>) {
		super(`${detail === '' ? 'refused' : detail}: ${errnoName(errno)}`);
		this.name = 'ProtocolError';
		this.errno = errnoName(errno);
		this.step = step === CONSTANTS.NO_STEP ? undefined : step;
		this.op = opName(op);
		this.detail = detail;
	}
}

/** These only say that a program failed or took too long; the detail has said it already. */
const SPOKEN = new Set(['ECANCELED', 'ETIMEDOUT']);

/**
 * What an ERROR reply means, for people: `Cannot mount proc at /proc: EPERM (step 14 of 41)`, or without a step
 * `Cannot WHAT: the detail: EPERM`. Anything else passes through.
 */
export function explain(what: string, error: unknown, plan: readonly Op[] = []): unknown {
	if (!(error instanceof ProtocolError)) return error;
	const make = factoryFor(error);
	return make(sentence(what, error, plan), { cause: error });
}

/** Whether a create failed because of a hook. */
export function isHookFailure(error: unknown): boolean {
	return error instanceof Error && error.cause instanceof ProtocolError && error.cause.op === 'hooks';
}

function factoryFor({ errno, op, detail }: ProtocolError): typeof internal {
	// A hook that failed has only words for it: `cannot write the result /x: ENOSPC`.
	const errnos = op === 'hooks' ? (detail.match(/\bE[A-Z]{4,}\b/g) ?? []) : [];
	if ([errno, ...errnos].some(isNoRoom)) return resourceExhausted;
	// A hook that hangs, or a process that does not die.
	if (errno === 'ETIMEDOUT') return deadlineExceeded;
	// What a hook could not do, a network plug-in for example, is no fault of ours.
	if (op === 'hooks') return unavailable;
	// Somebody killed it before its program ran: a stop, or the kernel for lack of memory.
	if (errno === 'ECHILD') return failedPrecondition;
	// The node does not know the AppArmor profile or SELinux label; whoever loads it can ask again.
	if (errno === 'EBUSY' || op === 'labels') return failedPrecondition;
	// More than the kernel takes: instructions of a filter, layers, arguments.
	if (errno === 'E2BIG') return invalidArgument;
	// The kernel refuses the value of a limit: a CPU that is not there, a period out of its range.
	const isValue = errno === 'EINVAL' || errno === 'ERANGE';
	// Or a restored container lacks a mount that its processes had.
	return (op === 'write_file' || op === 'restore') && isValue ? invalidArgument : internal;
}

/** A fork that is refused says only EAGAIN. */
const FORKING = /fork|start the shim|make the container's process/;
const NO_PROCESSES =
	'EAGAIN (no more processes: pids.max of its cgroup or of one above is reached, or a limit of the node)';

function reasonOf({ errno, detail }: ProtocolError): string {
	if (SPOKEN.has(errno) && detail !== '') return '';
	return errno === 'EAGAIN' && FORKING.test(detail) ? NO_PROCESSES : errno;
}

function sentence(what: string, error: ProtocolError, plan: readonly Op[]): string {
	const why = [error.detail, reasonOf(error)];
	const reason = why.filter((part) => part !== '').join(': ');
	if (error.step === undefined) return `Cannot ${what}: ${reason}`;
	const op = plan[error.step];
	return `Cannot ${what}: cannot ${op === undefined ? error.op : describeOp(op)}: ${reason} (step ${error.step + 1} of ${plan.length})`;
}

/** Runs a call to the launcher or a shim and explains what it answers. `what` follows "Cannot". */
export async function explained<T>(
	what: string,
	call: () => Promise<T>,
	plan: readonly Op[] = [],
): Promise<T> {
	try {
		return await call();
	} catch (error) {
		throw explain(what, error, plan);
	}
}

/** CANCELLED when the caller has gone away. */
export function throwIfAborted(signal: AbortSignal | undefined, what: string): void {
	if (signal?.aborted) throw cancelled(`The call was cancelled before it could ${what}`);
}
