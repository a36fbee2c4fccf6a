import type { Config } from '../config/types.ts';

/** The cgroup of the launcher and of all shims. */
export const systemCgroup = ({ instance }: Pick<Config, 'instance'>): string => `/${instance}-system`;
