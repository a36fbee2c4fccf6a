import { unsupportedStream } from './unsupported.ts';

/** StreamPodSandboxes: not yet. */
export const streamPodSandboxes = unsupportedStream('StreamPodSandboxes', 'use ListPodSandbox');
