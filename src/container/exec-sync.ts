import { deadlineExceeded, invalidArgument, notFound } from '#base/errors.ts';
import type { ExecSyncRequest } from '#cri-api';
import type { Daemon } from '../server/types.ts';
import { CappedOutput } from './capped-output.ts';
import { checkArguments } from './command.ts';
import { openExec } from './open-exec.ts';
import type { Container } from './types.ts';

export interface ExecSyncResult {
	readonly exitCode: number;
	readonly stdout: Buffer;
	readonly stderr: Buffer;
}

interface Limits {
	readonly timeoutMs: number;
	readonly signal: AbortSignal;
}

/** How long a command that is killed at its timeout may take to be gone. */
const DEATH_MS = 2_000;

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
	// The shim kills at the timeout; this ends the wait for a process that cannot die (a frozen one) or children of
	// it that hold its output.
	const late = timeoutMs === 0 ? new AbortController().signal : AbortSignal.timeout(timeoutMs + DEATH_MS);
	try {
		const result = await run(daemon, container, request.cmd, {
			timeoutMs,
			signal: AbortSignal.any([signal, late]),
		});
		if (result !== undefined) return result;
	} catch (error) {
		if (!late.aborted) throw error;
	}
	throw timedOut(container, request);
}

/** undefined when the shim killed it at the timeout. */
async function run(
	daemon: Daemon,
	container: Container,
	cmd: readonly string[],
	limits: Limits,
): Promise<ExecSyncResult | undefined> {
	await using stream = await openExec(daemon, container, cmd, limits);
	using _counted = daemon.metrics.streamOpened('exec');
	const limit = daemon.config.runtime.execOutputMaxBytes;
	const output = { stdout: new CappedOutput(limit), stderr: new CappedOutput(limit) };
	for await (const { stream: name, data } of stream.output) output[name].add(data);
	const exit = await stream.exit;
	if (exit.timedOut) return undefined;
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
	// Timers count to 2^31-1 ms.
	return Math.min(timeout * 1000, 2 ** 31 - 1 - DEATH_MS);
}

function timedOut({ metadata }: Container, { cmd, timeout }: ExecSyncRequest): Error {
	return deadlineExceeded(
		`Command ${JSON.stringify(cmd)} in container ${metadata.id} was killed: it did not end within ${timeout} s`,
	);
}
