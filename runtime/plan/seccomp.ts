import { internal } from '#base/errors.ts';
import type { OciSpec } from '../oci/spec.ts';
import { filterFlags } from '../seccomp/compile.ts';
import type { Op } from '../shim/codec.ts';

/** The filter, already compiled: the lowering itself asks nobody. */
export function seccompOps(spec: OciSpec, program: Uint8Array | undefined): Op[] {
	const seccomp = spec.linux?.seccomp;
	if (seccomp === undefined) return [];
	if (program === undefined)
		throw internal('a plan with a seccomp profile was lowered without its compiled filter');
	return [{ op: 'seccomp', program, flags: filterFlags(seccomp.flags ?? []) }];
}
