import { lowerExec } from '../plan/exec.ts';
import { encodePlan } from '../shim/codec.ts';
import { openConnection } from '../shim/connection.ts';
import { explain } from '../shim/errors.ts';
import { CONSTANTS } from '../shim/schema.ts';
import { ShimStream } from '../shim/stream.ts';
import type { ExecOptions, ProcessStream } from '../types.ts';
import { defaultCgroupsPath, type ShimContext } from './context.ts';
import { programError } from './program-error.ts';
import { canExec, explainRefusal } from './state.ts';

/** After the main process has ended, a child of it may hold the output open: it is read this long at most. */
const DEFAULT_DRAIN_MS = 10_000;

/** Runs a process beside a running container, on a connection of its own. Errors as those of start. */
export async function execInContainer(shim: ShimContext, options: ExecOptions): Promise<ProcessStream> {
	const { containerId, execId, spec, signal } = options;
	const what = `execute a process in container ${containerId}`;
	const seccomp = spec.linux?.seccomp;
	const plan = lowerExec(
		spec,
		{ ...options.process, ...(options.terminal === undefined ? {} : { terminal: options.terminal }) },
		{
			id: containerId,
			cgroups: shim.cgroups.layout,
			defaultCgroupsPath: defaultCgroupsPath(shim.instance, containerId),
			...(seccomp && { seccompProgram: await shim.launcher.compileSeccomp(seccomp) }),
		},
	);
	const { connection } = await openConnection(shim.socketPath, `The shim of ${shim.sandboxId}`);
	const stream = new ShimStream(connection, signal);
	try {
		const request = {
			id: containerId,
			exec_id: execId,
			flags: execFlags(options),
			timeout_ms: options.timeoutMs ?? 0,
			drain_ms: options.drainMs ?? DEFAULT_DRAIN_MS,
			plan: encodePlan(plan),
		};
		const { pid } = await connection.request('EXEC', request, 'EXEC_STARTED', signal);
		stream.started(pid);
		return stream;
	} catch (error) {
		await stream[Symbol.asyncDispose]();
		throw (
			programError(what, options.process.args[0] ?? '', error) ??
			(await explainRefusal(shim, containerId, 'execute a process in', error, canExec)) ??
			explain(what, error, plan)
		);
	}
}

function execFlags({ killOnClose, stdin, terminal, process }: ExecOptions): number {
	return (
		(killOnClose ? CONSTANTS.EXEC_KILL_ON_CLOSE : 0) |
		(stdin ? CONSTANTS.EXEC_STDIN : 0) |
		((terminal ?? process.terminal) ? CONSTANTS.EXEC_TERMINAL : 0)
	);
}
