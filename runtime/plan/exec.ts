import { cgroupMembers } from '../cgroup/layout.ts';
import type { OciNamespaceType, OciProcess, OciSpec } from '../oci/spec.ts';
import type { Op } from '../shim/codec.ts';
import { cgroupsPathOf, processOf } from './container.ts';
import type { PlanContext } from './context.ts';
import { CLONE_NEW } from './flags.ts';
import { execOp, processSteps, terminalOps } from './process.ts';
import { personalityOps } from './scheduling.ts';

/** Joined in this order: the user namespace first, for it gives the rights to join the others. */
const ORDER: readonly OciNamespaceType[] = [
	'user',
	'mount',
	'pid',
	'ipc',
	'uts',
	'network',
	'cgroup',
	'time',
];

/** A process beside a running container: its namespaces, its cgroups, and its own or the container's properties. Pure. */
export function lowerExec(
	spec: OciSpec,
	overrides: Pick<OciProcess, 'args'> & Partial<OciProcess>,
	context: Pick<PlanContext, 'id' | 'cgroups' | 'defaultCgroupsPath' | 'seccompProgram'>,
): Op[] {
	const process = execProcess(processOf(spec), overrides);
	const types = new Set((spec.linux?.namespaces ?? []).map(({ type }) => type));
	const steps = processSteps(spec, process, context.seccompProgram);
	return [
		{
			op: 'spawn',
			new_namespaces: 0,
			joins: ORDER.filter((type) => types.has(type)).map((type) => ({
				type: CLONE_NEW[type],
				path: '',
				of: context.id,
			})),
			uid_map: [],
			gid_map: [],
			cgroups: cgroupMembers(context.cgroups, cgroupsPathOf(spec, context)),
			set_oom_score_adj: process.oomScoreAdj === undefined ? 0 : 1,
			oom_score_adj: process.oomScoreAdj ?? 0,
		},
		{ op: 'session_keyring', name: context.id },
		...terminalOps(process).map((op) => ({ ...op, console: 0 }) as Op),
		...personalityOps(spec),
		...steps.beforeStart,
		...steps.afterStart,
		execOp(process),
	];
}

/** What is not said for this process is as for the container's own; a terminal only when asked for. */
function execProcess(own: OciProcess, overrides: Pick<OciProcess, 'args'> & Partial<OciProcess>): OciProcess {
	const { terminal: _terminal, consoleSize: _size, ...inherited } = own;
	return { ...inherited, ...overrides };
}
