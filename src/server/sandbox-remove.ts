import { removeSandbox } from '../sandbox/remove-sandbox.ts';
import { requireId } from './require-id.ts';
import type { UnaryHandler } from './types.ts';

export const removePodSandbox: UnaryHandler<'RemovePodSandbox'> = async (daemon, { pod_sandbox_id }) => {
	await removeSandbox(daemon, requireId('pod_sandbox_id', pod_sandbox_id));
	return {};
};
