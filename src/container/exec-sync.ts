import {
	deadlineExceeded,
	failedPrecondition,
	invalidArgument,
	notFound,
	StatusError,
	unavailable,
} from '#base/errors.ts';
import { newId } from '#base/ids.ts';
import type { ExecSyncRequest } from '#cri-api';
import type { ProcessStream, Shim } from '#runtime';
import type { Daemon } from '../server/types.ts';
import { specOf } from './bundle-spec.ts';
import { CappedOutput } from './capped-output.ts';
import { checkArguments } from './command.ts';
import { type Container, stateOf } from './types.ts';

export interface ExecSyncResult {
	readonly exitCode: number;
	readonly stdout: Buffer;
	readonly stderr: Buffer;
}

/**
 * ExecSync: runs a command beside the container's process and answers what it wrote, up to the configured limit
 * per stream. The command is killed at the timeout (0: none) and when the client leaves.
 *
 * @throws DEADLINE_EXCEEDED at the timeout, INVALID_ARGUMENT when there is no such program,
 * FAILED_PRECONDITION when the container does not run.
 */
export async function execSync(
	daemon: Daemon,
	request: ExecSyncRequest,
	signal: AbortSignal,
): Promise<ExecSyncResult> {
	const timeoutMs = timeoutOf(request.timeout);
	checkArguments('cmd', request.cmd);
	const container = daemon.containers.find(request.container_id);
	if (container === undefined) throw notFound(`No container ${request.container_id}`);
	const shim = checkRuns(daemon, container);
	await using stream = await openStream(daemon, shim, container, request.cmd, { timeoutMs, signal });
	const limit = daemon.config.runtime.execOutputMaxBytes;
	const output = { stdout: new CappedOutput(limit), stderr: new CappedOutput(limit) };
	for await (const { stream: name, data } of stream.output) output[name].add(data);
	const exit = await stream.exit;
	if (exit.timedOut) throw timedOut(container, request);
	return {
		exitCode: exit.signal === 0 ? exit.exitCode : 128 + exit.signal,
		stdout: output.stdout.bytes(),
		stderr: output.stderr.bytes(),
	};
}

function timeoutOf(seconds: string): number {
	const timeout = Number(seconds);
	if (!Number.isInteger(timeout) || timeout < 0)
		throw invalidArgument(`timeout is ${seconds} s, expected 0 (none) or more`);
	return Math.min(timeout * 1000, 2 ** 32 - 1);
}

function checkRuns({ sandboxes }: Daemon, { metadata, status }: Container): Shim {
	const { id, sandboxId } = metadata;
	const state = stateOf(status);
	if (state !== 'CONTAINER_RUNNING') {
		throw failedPrecondition(
			`Cannot run a command in container ${id}: it is ${state.replace('CONTAINER_', '').toLowerCase()}`,
		);
	}
	const shim = sandboxes.shims.get(sandboxId);
	if (shim === undefined) throw unavailable(`Cannot run a command in container ${id}: its shim is gone`);
	return shim;
}

async function openStream(
	{ containers }: Daemon,
	shim: Shim,
	{ metadata }: Container,
	args: readonly string[],
	options: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<ProcessStream> {
	const spec = await specOf(metadata);
	try {
		const process = { args, terminal: false };
		return await shim.exec({
			containerId: metadata.id,
			execId: newId(),
			spec,
			process,
			killOnClose: true,
			...options,
		});
	} catch (error) {
		const state = containers.get(metadata.id)?.status;
		const runs = state !== undefined && stateOf(state) === 'CONTAINER_RUNNING';
		// The program is what was not found; NOT_FOUND would say that there is no such container.
		if (!(error instanceof StatusError) || error.condition !== 'NOT_FOUND' || !runs) throw error;
		throw invalidArgument(error.message, { cause: error });
	}
}

function timedOut({ metadata }: Container, { cmd, timeout }: ExecSyncRequest): Error {
	return deadlineExceeded(
		`Command ${JSON.stringify(cmd)} in container ${metadata.id} was killed: it did not end within ${timeout} s`,
	);
}
