import { unavailable } from '#base/errors.ts';
import { readySandbox } from '../../sandbox/ready-sandbox.ts';
import type { Daemon } from '../../server/types.ts';
import type { Connect } from './forward.ts';

/** Connects to ports within a sandbox: in its network namespace, by its shim. */
export function connectToSandbox(daemon: Daemon, sandboxId: string): Connect {
	return async (port, signal) => {
		readySandbox(daemon, sandboxId, 'forward ports of');
		const shim = daemon.sandboxes.shims.get(sandboxId);
		if (shim === undefined)
			throw unavailable(`Cannot forward ports of sandbox ${sandboxId}: its shim is gone`);
		return await shim.forward(port, { signal });
	};
}
