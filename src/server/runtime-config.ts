import type { UnaryHandler } from './types.ts';

/** RuntimeConfig: the cgroup driver that the kubelet then uses itself. */
export const runtimeConfig: UnaryHandler<'RuntimeConfig'> = () => ({ linux: { cgroup_driver: 'CGROUPFS' } });
