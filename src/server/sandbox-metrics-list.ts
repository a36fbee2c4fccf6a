import { unsupported } from './unsupported.ts';

/** ListPodSandboxMetrics: not yet. */
export const listPodSandboxMetrics = unsupported('ListPodSandboxMetrics', 'use ListPodSandboxStats');
