import { failedPrecondition, invalidArgument, unavailable } from '#base/errors.ts';
import { openConnection } from '../shim/connection.ts';
import { explain, ProtocolError } from '../shim/errors.ts';
import { ShimForward } from '../shim/forward-stream.ts';
import type { CallOptions, ForwardStream } from '../types.ts';
import type { ShimContext } from './context.ts';
import { canExec, explainRefusal } from './state.ts';

/** Connects to a port within the network namespace of the container that has the sandbox's id. */
export async function forwardToPort(
	shim: ShimContext,
	port: number,
	{ signal }: CallOptions = {},
): Promise<ForwardStream> {
	const { sandboxId } = shim;
	if (!Number.isInteger(port) || port < 1 || port > 65535)
		throw invalidArgument(`Cannot forward port ${port} of sandbox ${sandboxId}: ports are 1 to 65535`);
	const { connection } = await openConnection(shim.socketPath, `The shim of ${sandboxId}`);
	const stream = new ShimForward(
		connection,
		`The connection to port ${port} of sandbox ${sandboxId}`,
		signal,
	);
	try {
		await connection.request('FORWARD', { id: sandboxId, port }, 'OK', signal);
		return stream;
	} catch (error) {
		await stream[Symbol.asyncDispose]();
		const what = `forward port ${port} of sandbox ${sandboxId}`;
		throw (
			refusal(what, error) ??
			(await explainRefusal(shim, sandboxId, 'forward ports of', error, canExec)) ??
			explain(what, error)
		);
	}
}

function refusal(what: string, error: unknown): Error | undefined {
	if (!(error instanceof ProtocolError)) return undefined;
	const cause = { cause: error };
	if (error.errno === 'ECONNREFUSED')
		return unavailable(`Cannot ${what}: nobody listens there, neither at 127.0.0.1 nor at ::1`, cause);
	// Every shim says this of a message that it does not know.
	if (error.errno === 'EOPNOTSUPP')
		return failedPrecondition(
			`Cannot ${what}: its shim was started by an older gantryd and does not know how; make the pod anew`,
			cause,
		);
	return undefined;
}
