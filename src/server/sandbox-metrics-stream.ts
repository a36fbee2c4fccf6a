import { unsupportedStream } from './unsupported.ts';

/** StreamPodSandboxMetrics: not yet. */
export const streamPodSandboxMetrics = unsupportedStream(
	'StreamPodSandboxMetrics',
	'use ListPodSandboxStats, or the Prometheus endpoint',
);
