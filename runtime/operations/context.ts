import type { Log } from '#base/log.ts';
import { normalizeCgroupsPath } from '../cgroup/layout.ts';
import type { OciSpec } from '../oci/spec.ts';
import type { Op } from '../shim/codec.ts';
import type { FrameConnection } from '../shim/connection.ts';
import type { Cgroups, Launcher } from '../types.ts';
import type { PlanFile } from './plan-file.ts';

/** What the OCI operations of one shim work with. */
export interface ShimContext {
	readonly sandboxId: string;
	readonly instance: string;
	readonly socketPath: string;
	readonly connection: FrameConnection;
	readonly launcher: Launcher;
	readonly cgroups: Cgroups;
	readonly log: Log;
	/** Where the bundle of a container is; undefined when nobody knows. */
	bundleOf(id: string): string | undefined;
	/** What stays in memory of containers made over this connection. */
	readonly made: Map<string, MadeContainer>;
}

export interface MadeContainer {
	readonly bundle: string;
	/** Its plan.txt. */
	readonly file: PlanFile;
	/** Empty once its program runs: no step is left that could be timed. */
	readonly plan: readonly Op[];
}

/** The cgroup of a container whose spec names none. */
export function defaultCgroupsPath(instance: string, id: string): string {
	return `/${instance}/${instance}-${id}`;
}

/** The cgroup of a container, as Cgroups takes it. */
export function cgroupsPathOfSpec(spec: OciSpec, instance: string, id: string): string {
	return normalizeCgroupsPath(spec.linux?.cgroupsPath || defaultCgroupsPath(instance, id));
}
