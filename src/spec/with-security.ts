import type { OciSeccomp, OciSpec } from '#runtime';
import { withLinux, withProcess } from './draft.ts';

interface SecurityInput {
	readonly privileged: boolean;
	readonly seccomp: OciSeccomp | undefined;
	readonly appArmorProfile: string | undefined;
	readonly seLinuxLabel: string | undefined;
	readonly security?: { readonly no_new_privs: boolean } | undefined;
}

/** System call filter, labels and no-new-privileges. What they are was decided before; privileged has no filter. */
export function withSecurity(spec: OciSpec, input: SecurityInput): OciSpec {
	const { seccomp, appArmorProfile, seLinuxLabel } = input;
	const secured = withProcess(spec, {
		...(input.security?.no_new_privs ? { noNewPrivileges: true } : {}),
		...(appArmorProfile === undefined ? {} : { apparmorProfile: appArmorProfile }),
		...(seLinuxLabel === undefined ? {} : { selinuxLabel: seLinuxLabel }),
	});
	return seccomp === undefined || input.privileged ? secured : withLinux(secured, { seccomp });
}
