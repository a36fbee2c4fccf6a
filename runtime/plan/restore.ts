import type { OciSpec } from '../oci/spec.ts';
import type { Op, OpArgs } from '../shim/codec.ts';
import { cgroupOps } from './cgroup.ts';
import { cgroupsPathOf } from './container.ts';
import { type PlanContext, refuse } from './context.ts';
import { deviceOps } from './devices.ts';
import { mountOps } from './mounts.ts';
import { spawnOp } from './namespaces.ts';
import { hiddenPathOps } from './paths.ts';
import { folderOps, rootOps } from './rootfs.ts';

/**
 * The plan that makes a container's surroundings as `lowerContainer` does, up to the pivot, and then lets `restore`
 * put the processes into them. What a process has of its own (user, capabilities, filter, limits, process namespace)
 * was saved with it. Pure. INVALID_ARGUMENT for what start or create would have to do.
 */
export function lowerRestore(
	spec: OciSpec,
	context: PlanContext,
	restore: OpArgs<'restore'> & { op: 'restore' },
): Op[] {
	const hooks = Object.values(spec.hooks ?? {}).flat();
	if (hooks.length > 0) throw refuse('hooks', 'are not run for processes that are restored');
	const cgroupsPath = cgroupsPathOf(spec, context);
	return [
		...folderOps(spec, context),
		...cgroupOps(spec, cgroupsPath, context.cgroups),
		spawnOp(withoutProcessNamespace(spec), cgroupsPath, context),
		...rootOps(spec, context),
		...mountOps(spec, cgroupsPath, context),
		...deviceOps(spec),
		...hiddenPathOps(spec),
		restore,
	];
}

/** It is made with its first process. */
function withoutProcessNamespace(spec: OciSpec): OciSpec {
	const namespaces = (spec.linux?.namespaces ?? []).filter(({ type }) => type !== 'pid');
	return { ...spec, linux: { ...spec.linux, namespaces } };
}
