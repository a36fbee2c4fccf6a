import { stopSandbox } from '../sandbox/stop-sandbox.ts';
import { requireId } from './require-id.ts';
import type { UnaryHandler } from './types.ts';

export const stopPodSandbox: UnaryHandler<'StopPodSandbox'> = async (daemon, { pod_sandbox_id }) => {
	await stopSandbox(daemon, requireId('pod_sandbox_id', pod_sandbox_id));
	return {};
};
