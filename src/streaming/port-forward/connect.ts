import { unavailable, unimplemented } from '#base/errors.ts';
import type { Shim } from '#runtime';
import { readySandbox } from '../../sandbox/ready-sandbox.ts';
import type { Daemon } from '../../server/types.ts';
import type { Connect, ForwardStream } from './forward.ts';

/** What of a shim is needed here. */
interface ForwardingShim {
	forward?(port: number, options: { readonly signal: AbortSignal }): Promise<ForwardStream>;
}

/** Connects to ports within a sandbox: in its network namespace, by its shim. */
export function connectToSandbox(daemon: Daemon, sandboxId: string): Connect {
	return async (port, signal) => {
		const { metadata } = readySandbox(daemon, sandboxId, 'forward ports of');
		const shim: (Shim & ForwardingShim) | undefined = daemon.sandboxes.shims.get(metadata.id);
		if (shim === undefined)
			throw unavailable(`Cannot forward ports of sandbox ${sandboxId}: its shim is gone`);
		if (shim.forward === undefined) throw unimplemented('Gantry does not forward ports yet');
		return await shim.forward(port, { signal });
	};
}
