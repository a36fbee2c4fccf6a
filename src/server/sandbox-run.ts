import { runSandbox } from '../sandbox/run-sandbox.ts';
import type { UnaryHandler } from './types.ts';

export const runPodSandbox: UnaryHandler<'RunPodSandbox'> = async (daemon, request, call) => ({
	pod_sandbox_id: await runSandbox(daemon, request, call),
});
