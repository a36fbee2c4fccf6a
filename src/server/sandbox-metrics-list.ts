import { podMetrics } from '../pod-metrics/pod-metrics.ts';
import type { UnaryHandler } from './types.ts';

export const listPodSandboxMetrics: UnaryHandler<'ListPodSandboxMetrics'> = async (daemon) => ({
	pod_metrics: await Array.fromAsync(podMetrics(daemon)),
});
