import { podMetrics } from '../pod-metrics/pod-metrics.ts';
import type { StreamHandler } from './types.ts';

/** StreamPodSandboxMetrics: each pod is read when the client has taken the one before. */
export const streamPodSandboxMetrics: StreamHandler<'StreamPodSandboxMetrics'> = async function* (daemon) {
	for await (const pod of podMetrics(daemon)) yield { pod_sandbox_metrics: [pod] };
};
