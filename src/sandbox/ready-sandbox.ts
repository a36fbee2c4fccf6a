import { failedPrecondition, notFound } from '#base/errors.ts';
import type { Daemon } from '../server/types.ts';
import type { Sandbox } from './types.ts';

/** The sandbox, if it is ready. `what` follows "Cannot": `forward ports of`. NOT_FOUND or FAILED_PRECONDITION otherwise. */
export function readySandbox({ sandboxes }: Pick<Daemon, 'sandboxes'>, id: string, what: string): Sandbox {
	const sandbox = sandboxes.find(id);
	if (sandbox === undefined) throw notFound(`Cannot ${what} sandbox ${id}: there is none`);
	const { metadata, status } = sandbox;
	if (sandboxes.removals.has(metadata.id))
		throw failedPrecondition(`Cannot ${what} sandbox ${metadata.id}: it is being removed`);
	if (status.state !== 'ready')
		throw failedPrecondition(`Cannot ${what} sandbox ${metadata.id}: it is ${status.state}`);
	return sandbox;
}
