import type { OciProcess, OciSpec } from '../oci/spec.ts';
import type { Op } from '../shim/codec.ts';
import { capabilitiesOp } from './capabilities.ts';
import { refuse } from './context.ts';
import { rlimitOps } from './rlimits.ts';
import { schedulingOps } from './scheduling.ts';
import { seccompOps } from './seccomp.ts';

/** What stands between the end of the preparation and exec, in the two halves around wait_start. */
export interface ProcessSteps {
	readonly beforeStart: readonly Op[];
	readonly afterStart: readonly Op[];
}

/**
 * Turns the preparing process into the container's. Installing a filter needs CAP_SYS_ADMIN unless
 * no-new-privileges is set: with it the filter is the last thing before exec, without it the capabilities fall
 * afterwards, so a filter that is to work must allow prctl, capset and what waiting for the start takes.
 */
export function processSteps(
	spec: OciSpec,
	process: OciProcess,
	seccompProgram: Uint8Array | undefined,
): ProcessSteps {
	const filter = seccompOps(spec, seccompProgram);
	const capabilities = capabilitiesOp(process.capabilities);
	const common = [
		...schedulingOps(process),
		...rlimitOps(process),
		...labelOps(process),
		{ op: 'working_folder', path: absoluteCwd(process), create: 0 } as const,
		userOp(process),
	];
	return process.noNewPrivileges
		? { beforeStart: [...common, capabilities, { op: 'no_new_privileges' }], afterStart: filter }
		: { beforeStart: [...common, ...filter, capabilities], afterStart: [] };
}

/** The folder that the process starts in, checked. */
export function absoluteCwd(process: OciProcess): string {
	if (!process.cwd.startsWith('/')) throw refuse('process.cwd', `${process.cwd} is not absolute`);
	return process.cwd;
}

/** The last step. */
export function execOp({ args, env = [] }: OciProcess): Op {
	if (args.length === 0) throw refuse('process.args', 'no program to run');
	const odd = env.findIndex((entry) => !entry.includes('='));
	if (odd >= 0) throw refuse(`process.env[${odd}]`, `${JSON.stringify(env[odd])} is not NAME=value`);
	return { op: 'exec', argv: args, env };
}

export function terminalOps(process: OciProcess): Op[] {
	if (!process.terminal) return [];
	const { width = 0, height = 0 } = process.consoleSize ?? {};
	return [{ op: 'terminal', columns: width, rows: height, console: 1 }];
}

function labelOps({ apparmorProfile = '', selinuxLabel = '' }: OciProcess): Op[] {
	if (apparmorProfile === '' && selinuxLabel === '') return [];
	return [{ op: 'labels', apparmor: apparmorProfile, selinux: selinuxLabel }];
}

function userOp({ user }: OciProcess): Op {
	return {
		op: 'user',
		uid: user.uid,
		gid: user.gid,
		groups: user.additionalGids ?? [],
		umask: user.umask ?? 0xffffffff,
	};
}
