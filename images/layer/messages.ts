import { type Condition, type CriReason, internal, StatusError } from '#base/errors.ts';
import type { Platform } from '../platform.ts';
import type { Reference } from '../reference.ts';
import type { ResolvedImage } from '../registry/resolve.ts';
import type { Source } from '../registry/sources.ts';
import type { FileOp } from '../types.ts';
import type { LayerRequest } from './layer-job.ts';
import type { Unpacked } from './unpack.ts';

/** What a worker thread is given when it starts. */
export interface WorkerOptions {
	readonly stallTimeoutMs: number;
	/** Folder of the content store, from which documents are read that are already here. */
	readonly contentRoot: string;
}

export interface ResolveJob {
	readonly kind: 'resolve';
	readonly reference: Reference;
	readonly platform: Platform;
	readonly sources: readonly Source[];
	readonly retryDelayMs: number;
}

export interface LayerJob extends LayerRequest {
	readonly kind: 'layer';
}

export type Job = ResolveJob | LayerJob;
export type JobResult<J extends Job> = J extends ResolveJob ? ResolvedImage : Unpacked;

/** Main thread → worker. */
export type ToWorker =
	| { readonly type: 'start'; readonly id: number; readonly job: Job }
	| { readonly type: 'abort'; readonly id: number }
	| { readonly type: 'applied'; readonly id: number; readonly error?: PlainError };

/** Worker → main thread. */
export type FromWorker =
	| { readonly type: 'done'; readonly id: number; readonly result: ResolvedImage | Unpacked }
	| { readonly type: 'failed'; readonly id: number; readonly error: PlainError }
	| { readonly type: 'progress'; readonly id: number; readonly doneBytes: number }
	| { readonly type: 'apply'; readonly id: number; readonly ops: readonly FileOp[] };

/** An error in a form that crosses threads: a thrown class does not. */
export interface PlainError {
	readonly condition: Condition | undefined;
	readonly reason: CriReason | undefined;
	readonly message: string;
	readonly stack: string | undefined;
}

export function toPlain(error: unknown): PlainError {
	const { condition, reason } =
		error instanceof StatusError ? error : { condition: undefined, reason: undefined };
	const { message, stack } = error instanceof Error ? error : { message: String(error), stack: undefined };
	const bare =
		reason !== undefined && message.startsWith(`${reason}: `) ? message.slice(reason.length + 2) : message;
	return { condition, reason, message: bare, stack };
}

export function fromPlain({ condition, reason, message, stack }: PlainError): StatusError {
	if (condition !== undefined)
		return new StatusError(condition, message, reason === undefined ? {} : { reason });
	const bug = internal(`Image worker failed: ${message}`);
	if (stack !== undefined) bug.stack = stack;
	return bug;
}
