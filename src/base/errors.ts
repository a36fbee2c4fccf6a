/**
 * The one error type of Gantry and the catalogue of every way we fail.
 *
 * A `StatusError` carries a condition (it becomes a gRPC code once, at the edge), an optional CRI reason that
 * begins the message, and the cause. A message names the verb, the object with its id, and what the user can do.
 */

/** Why a call failed, in gRPC's terms. `NOT_FOUND` is never made from a stray ENOENT. */
export type Condition =
	| 'CANCELLED'
	| 'INVALID_ARGUMENT'
	| 'NOT_FOUND'
	| 'ALREADY_EXISTS'
	| 'PERMISSION_DENIED'
	| 'FAILED_PRECONDITION'
	| 'ABORTED'
	| 'DEADLINE_EXCEEDED'
	| 'UNAVAILABLE'
	| 'RESOURCE_EXHAUSTED'
	| 'UNIMPLEMENTED'
	| 'DATA_LOSS'
	| 'INTERNAL';

/** Reasons that the kubelet looks for at the start of a message (CRI `errors.go`). */
export type CriReason =
	| 'RegistryUnavailable'
	| 'SignatureValidationFailed'
	| 'RROUnsupported'
	| 'ImageVolumeMountFailed';

export interface StatusErrorOptions {
	readonly cause?: unknown;
	readonly reason?: CriReason;
}

/** An error with a meaning for the caller. Everything else that is thrown is a bug and becomes INTERNAL. */
export class StatusError extends Error {
	readonly condition: Condition;
	readonly reason: CriReason | undefined;

	constructor(condition: Condition, message: string, options: StatusErrorOptions = {}) {
		const text = options.reason === undefined ? message : `${options.reason}: ${message}`;
		super(text, options.cause === undefined ? undefined : { cause: options.cause });
		this.name = 'StatusError';
		this.condition = condition;
		this.reason = options.reason;
	}
}

type Factory = (message: string, options?: StatusErrorOptions) => StatusError;

const factory =
	(condition: Condition): Factory =>
	(message, options) =>
		new StatusError(condition, message, options);

/** The request itself is wrong; sending it again cannot help. */
export const invalidArgument = factory('INVALID_ARGUMENT');
/** No object with this id or name. */
export const notFound = factory('NOT_FOUND');
/** The name is taken by another object. */
export const alreadyExists = factory('ALREADY_EXISTS');
/** The object is in the wrong state for this call. */
export const failedPrecondition = factory('FAILED_PRECONDITION');
/** The call lost a race against another one. */
export const aborted = factory('ABORTED');
/** The caller went away. */
export const cancelled = factory('CANCELLED');
/** A deadline passed. For ExecSync the kubelet reads this as a probe timeout. */
export const deadlineExceeded = factory('DEADLINE_EXCEEDED');
/** Something that we depend on does not answer. */
export const unavailable = factory('UNAVAILABLE');
/** No room: disk, inodes, descriptors, processes, addresses. */
export const resourceExhausted = factory('RESOURCE_EXHAUSTED');
/** We do not support this, and refuse rather than ignore it. */
export const unimplemented = factory('UNIMPLEMENTED');
/** Credentials are missing or not accepted. */
export const permissionDenied = factory('PERMISSION_DENIED');
/** Stored or received bytes are not what they claim to be. */
export const dataLoss = factory('DATA_LOSS');
/** A bug, or a failure of the machine that no caller can mend. */
export const internal = factory('INTERNAL');

/** The errno name (`ENOENT`) of a Node system error, or undefined. */
export function errnoOf(error: unknown): string | undefined {
	if (typeof error !== 'object' || error === null) return undefined;
	const code = (error as { code?: unknown }).code;
	return typeof code === 'string' ? code : undefined;
}

/** The message of anything that was thrown, with the causes that add something to it. */
export function messageOf(error: unknown): string {
	if (!(error instanceof Error)) return String(error);
	const cause = error.cause === undefined ? '' : messageOf(error.cause);
	return cause === '' || error.message.includes(cause) ? error.message : `${error.message}: ${cause}`;
}

/** The errnos of no room: disk, inodes, descriptors, memory, processes. */
const EXHAUSTED = new Set(['ENOSPC', 'EDQUOT', 'EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN']);

/** Whether an errno says that there is no room. */
export const isNoRoom = (errno: string | undefined): boolean => errno !== undefined && EXHAUSTED.has(errno);

/**
 * A system error met while doing `what` (verb, object, id) as a StatusError: no room becomes RESOURCE_EXHAUSTED,
 * everything else INTERNAL. A StatusError passes through unchanged.
 */
export function fromSystemError(what: string, error: unknown): StatusError {
	if (error instanceof StatusError) return error;
	const make = isNoRoom(errnoOf(error)) ? resourceExhausted : internal;
	return make(`${what}: ${messageOf(error)}`, { cause: error });
}
