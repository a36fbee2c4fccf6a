import { unsupportedStream } from './unsupported.ts';

/** StreamPodSandboxStats: not yet. */
export const streamPodSandboxStats = unsupportedStream('StreamPodSandboxStats', 'use ListPodSandboxStats');
