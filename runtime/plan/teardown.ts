import { cgroupMembers } from '../cgroup/layout.ts';
import type { OciSpec } from '../oci/spec.ts';
import type { Op } from '../shim/codec.ts';
import { cgroupsPathOf } from './container.ts';
import type { PlanContext } from './context.ts';
import { hookOps } from './hooks.ts';

/** How long killed processes may take to be gone (one in an uninterruptible wait), and a cgroup to be free. */
const KILL_TIMEOUT_MS = 10_000;
const REMOVE_TIMEOUT_MS = 5_000;

/**
 * Takes back everything that lowerContainer's plan made on the host. The one teardown: of DELETE, of a failed
 * create, and of recovery when the shim is dead. Every step may run twice. Pure.
 */
export function lowerTeardown(
	spec: OciSpec,
	context: Pick<PlanContext, 'id' | 'bundle' | 'cgroups' | 'defaultCgroupsPath' | 'pins' | 'folders'>,
): Op[] {
	const cgroupsPath = cgroupsPathOf(spec, context);
	const members = cgroupMembers(context.cgroups, cgroupsPath);
	const [kill] = members;
	return [
		...(kill === undefined ? [] : [{ op: 'cgroup_kill', ...kill, timeout_ms: KILL_TIMEOUT_MS } as const]),
		...hookOps('poststop', spec, context),
		...(context.pins ?? []).map(({ path }): Op => ({ op: 'unmount', path, remove: 1 })),
		...members.map(({ path }): Op => ({ op: 'cgroup_remove', path, timeout_ms: REMOVE_TIMEOUT_MS })),
		...(context.folders ?? []).toReversed().map(({ path }): Op => ({ op: 'remove_tree', path })),
	];
}
