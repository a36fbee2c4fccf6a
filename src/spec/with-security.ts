import type { OciSeccomp, OciSpec } from '#runtime';
import { withLinux, withProcess } from './draft.ts';
import type { SeLinuxLabels } from './input.ts';

interface SecurityInput {
	readonly privileged: boolean;
	readonly seccomp: OciSeccomp | undefined;
	readonly appArmorProfile: string | undefined;
	readonly seLinux: SeLinuxLabels | undefined;
	readonly security?: { readonly no_new_privs: boolean } | undefined;
}

/** System call filter, labels and no-new-privileges. What they are was decided before; privileged has no filter. */
export function withSecurity(spec: OciSpec, input: SecurityInput): OciSpec {
	const { seccomp, appArmorProfile, seLinux } = input;
	const secured = withProcess(spec, {
		...(input.security?.no_new_privs ? { noNewPrivileges: true } : {}),
		...(appArmorProfile === undefined ? {} : { apparmorProfile: appArmorProfile }),
		...(seLinux === undefined ? {} : { selinuxLabel: seLinux.process }),
	});
	return withLinux(secured, {
		...(seLinux?.mount === undefined ? {} : { mountLabel: seLinux.mount }),
		...(seccomp === undefined || input.privileged ? {} : { seccomp }),
	});
}
