import { normalizeCgroupsPath } from '../cgroup/layout.ts';
import type { OciProcess, OciSpec } from '../oci/spec.ts';
import type { Op } from '../shim/codec.ts';
import { cgroupOps } from './cgroup.ts';
import { type PlanContext, refuse } from './context.ts';
import { deviceOps } from './devices.ts';
import { hookOps } from './hooks.ts';
import { hostnameOps } from './hostname.ts';
import { mountOps } from './mounts.ts';
import { spawnOp } from './namespaces.ts';
import { hiddenPathOps } from './paths.ts';
import { absoluteCwd, execOp, processSteps, terminalOps } from './process.ts';
import { enterRootOps, folderOps, rootOps } from './rootfs.ts';
import { personalityOps } from './scheduling.ts';
import { sysctlOps } from './sysctls.ts';

/**
 * The launch plan of a container: what create does up to wait_start and start after it. Pure.
 * Throws INVALID_ARGUMENT naming the field of the spec that cannot be honoured.
 */
export function lowerContainer(spec: OciSpec, context: PlanContext): Op[] {
	const process = processOf(spec);
	const cgroupsPath = cgroupsPathOf(spec, context);
	const steps = processSteps(spec, process, context.seccompProgram);
	return [
		...folderOps(spec, context),
		...cgroupOps(spec, cgroupsPath, context.cgroups),
		spawnOp(spec, cgroupsPath, context),
		...pinOps(context),
		{ op: 'session_keyring', name: context.id },
		...rootOps(spec, context),
		...mountOps(spec, cgroupsPath, context),
		...deviceOps(spec),
		...hostnameOps(spec),
		...sysctlOps(spec),
		...hookOps('prestart', spec, context),
		...hookOps('createRuntime', spec, context),
		...hookOps('createContainer', spec, context),
		// It may be missing from the image, and once the root is read-only nobody can make it.
		{ op: 'make_folder_in', path: absoluteCwd(process), mode: 0o755, uid: 0, gid: 0 },
		...hiddenPathOps(spec),
		...terminalOps(process),
		...enterRootOps(spec),
		...personalityOps(spec),
		...steps.beforeStart,
		...waitOps(spec, context),
		...hookOps('startContainer', spec, context),
		...steps.afterStart,
		execOp(process),
		...hookOps('poststart', spec, context),
	];
}

/** The process of a spec; a container cannot be made without one. */
export function processOf(spec: OciSpec): OciProcess {
	if (spec.process === undefined) throw refuse('process', 'missing');
	return spec.process;
}

/** The container's cgroup, as a normalized OCI path. */
export function cgroupsPathOf(spec: OciSpec, context: Pick<PlanContext, 'defaultCgroupsPath'>): string {
	return normalizeCgroupsPath(spec.linux?.cgroupsPath || context.defaultCgroupsPath);
}

function waitOps(spec: OciSpec, { startAtOnce }: PlanContext): Op[] {
	if (!startAtOnce) return [{ op: 'wait_start' }];
	if ((spec.hooks?.poststart ?? []).length > 0)
		throw refuse('hooks.poststart', 'belongs to start, but the program is to run without it');
	return [];
}

/** Before the hooks: CNI plug-ins need the network namespace as a file. */
function pinOps(context: PlanContext): Op[] {
	return (context.pins ?? []).map(({ name, path }) => ({ op: 'pin_namespace', name, path }));
}
