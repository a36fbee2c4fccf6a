import { constants } from 'node:os';
import { dirname } from 'node:path';
import { alreadyExists, cancelled, messageOf } from '#base/errors.ts';
import { changing } from '#base/fault-points.ts';
import { writeBundle } from '../bundle.ts';
import { validateSpec } from '../oci/validate.ts';
import { lowerContainer } from '../plan/container.ts';
import type { PlanContext } from '../plan/context.ts';
import { lowerRestore } from '../plan/restore.ts';
import { lowerTeardown } from '../plan/teardown.ts';
import { encodePlan, type Message, type Op } from '../shim/codec.ts';
import { explain, ProtocolError, throwIfAborted } from '../shim/errors.ts';
import type { CreatedContainer, CreateOptions, PreparedCreate } from '../types.ts';
import { defaultCgroupsPath, type ShimContext } from './context.ts';
import { discard } from './delete.ts';
import { PlanFile } from './plan-file.ts';
import { programError } from './program-error.ts';
import { restoreError, restoreOp } from './restore.ts';
import { stepTimings } from './timings.ts';

const DEFAULT_LINE_MAX = 16384;

/** What it takes to plan a container; no shim. */
type Planning = Pick<ShimContext, 'cgroups' | 'instance' | 'launcher'>;

/**
 * The part of create that needs no shim, which may be starting meanwhile: the bundle is written, plan and request
 * are made. INVALID_ARGUMENT and FAILED_PRECONDITION name what cannot be honoured.
 */
export async function prepareCreate(planning: Planning, options: CreateOptions): Promise<PreparedCreate> {
	const { id, bundle, spec, signal } = options;
	validateSpec(spec);
	planning.cgroups.check(spec.linux?.resources ?? {});
	const context = await planContext(planning, options);
	const plan = options.restore
		? lowerRestore(spec, context, restoreOp(spec, bundle, options.restore))
		: lowerContainer(spec, context);
	const teardown = lowerTeardown(spec, context);
	throwIfAborted(signal, `create container ${id}`);
	await changing('bundle.write', () => writeBundle(bundle, id, spec, teardown));
	return { options, plan, teardown, request: createRequest(options, plan) };
}

/**
 * OCI create: everything up to the program itself. Nothing is left behind when it fails: the teardown plan runs,
 * poststop hooks included.
 */
export async function createContainer(
	shim: ShimContext,
	{ options, plan, teardown, request }: PreparedCreate,
): Promise<CreatedContainer> {
	const { id, bundle, spec, signal } = options;
	const what = `create container ${id}`;
	let created: Message<'CREATED'>;
	try {
		created = await changing('container.create', () => requestUnlessAborted(shim, request, signal));
	} catch (error) {
		if (error instanceof ProtocolError && error.step === undefined && error.errno === 'EEXIST') {
			throw alreadyExists(`Cannot ${what}: its shim has one already`, { cause: error });
		}
		throw await undo(
			shim,
			id,
			teardown,
			(await restoreError(what, bundle, error)) ??
				programError(what, spec.process?.args[0] ?? '', error) ??
				explain(what, error, plan),
		);
	}
	const file = new PlanFile(bundle, plan, shim.log);
	const isLast = options.startAtOnce ?? false;
	file.add(created.timings, isLast);
	shim.made.set(id, { bundle, file, plan: isLast ? [] : plan });
	return {
		process: { pid: created.pid, startTime: created.start_time },
		timings: stepTimings(created.timings, plan),
	};
}

async function planContext(planning: Planning, options: CreateOptions): Promise<PlanContext> {
	const { id, bundle, overlay, joins, mountsOf, images, pins, folders, startAtOnce } = options;
	const seccomp = options.spec.linux?.seccomp;
	return {
		id,
		bundle,
		cgroups: planning.cgroups.layout,
		defaultCgroupsPath: defaultCgroupsPath(planning.instance, id),
		...(overlay && { overlay }),
		...(joins && { joins }),
		...(mountsOf && { mountsOf }),
		...(images && { images }),
		...(pins && { pins }),
		...(folders && { folders }),
		...(startAtOnce && { startAtOnce }),
		...(seccomp && { seccompProgram: await planning.launcher.compileSeccomp(seccomp) }),
	};
}

function createRequest(options: CreateOptions, plan: readonly Op[]): Message<'CREATE'> {
	const { id, bundle, log, stdin, stdinOnce, spec } = options;
	return {
		id,
		folder: dirname(bundle),
		log_path: log?.path ?? '',
		log_line_max: log?.lineMax ?? DEFAULT_LINE_MAX,
		terminal: spec.process?.terminal ? 1 : 0,
		stdin: stdin ? 1 : 0,
		stdin_once: stdinOnce ? 1 : 0,
		plan: encodePlan(plan),
	};
}

/** A create that nobody waits for any more is killed, with the hook that it may wait for, and seen to its end. */
async function requestUnlessAborted(
	{ connection }: ShimContext,
	request: Message<'CREATE'>,
	signal: AbortSignal | undefined,
): Promise<Message<'CREATED'>> {
	const kill = () => {
		connection
			.request('KILL', { id: request.id, signal: constants.signals.SIGKILL, all: 0 }, 'OK')
			.catch(() => {});
	};
	signal?.addEventListener('abort', kill, { once: true });
	try {
		const created = await connection.request('CREATE', request, 'CREATED');
		throwIfAborted(signal, `create container ${request.id}`);
		return created;
	} catch (error) {
		if (!signal?.aborted) throw error;
		throw cancelled(`Cannot create container ${request.id}: the call was cancelled`, { cause: error });
	} finally {
		signal?.removeEventListener('abort', kill);
	}
}

/** Takes back what create made; the first error stays the error. */
async function undo(
	shim: ShimContext,
	id: string,
	teardown: readonly Op[],
	error: unknown,
): Promise<unknown> {
	try {
		const hookError = await discard(shim, id, teardown);
		if (hookError !== '') shim.log.warn('poststop hooks failed after a failed create', { id, hookError });
	} catch (failure) {
		if (error instanceof Error) error.message += ` (clean-up: ${messageOf(failure)})`;
	}
	return error;
}
