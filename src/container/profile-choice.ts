import { invalidArgument } from '#base/errors.ts';
import type { SecurityProfile } from '#cri-api';

/** A seccomp or AppArmor choice after the deprecated fields have been taken into account. */
export type ProfileChoice =
	| { readonly kind: 'default' | 'unconfined' }
	| { readonly kind: 'localhost'; readonly ref: string };

const LOCALHOST = 'localhost/';

/** What a request chooses; undefined when it says nothing. `field`: for messages. */
export function profileChoice(
	profile: SecurityProfile | null | undefined,
	deprecated: string | undefined,
	field: string,
): ProfileChoice | undefined {
	if (profile !== null && profile !== undefined) {
		if (profile.profile_type === 'RuntimeDefault') return { kind: 'default' };
		if (profile.profile_type === 'Unconfined') return { kind: 'unconfined' };
		if (profile.localhost_ref === '') throw invalidArgument(`${field}.localhost_ref is empty`);
		return { kind: 'localhost', ref: profile.localhost_ref };
	}
	if (deprecated === undefined || deprecated === '') return undefined;
	if (deprecated === 'runtime/default' || deprecated === 'docker/default') return { kind: 'default' };
	if (deprecated === 'unconfined') return { kind: 'unconfined' };
	if (deprecated.startsWith(LOCALHOST)) return { kind: 'localhost', ref: deprecated.slice(LOCALHOST.length) };
	throw invalidArgument(
		`${field}: unknown profile ${JSON.stringify(deprecated)}, expected runtime/default, unconfined or localhost/NAME`,
	);
}

const APPARMOR = 'linux.security_context.apparmor';

/** The AppArmor profile that a request chooses. The kubelet of old, and critest, send the prefix in both fields. */
export function appArmorChoice(
	profile: SecurityProfile | null | undefined,
	deprecated?: string,
): ProfileChoice | undefined {
	const choice = profileChoice(profile, deprecated, APPARMOR);
	if (choice?.kind !== 'localhost') return choice;
	const ref = choice.ref.startsWith(LOCALHOST) ? choice.ref.slice(LOCALHOST.length) : choice.ref;
	// It becomes part of a command to the kernel.
	if (ref === '' || /[\0\n]/.test(ref) || Buffer.byteLength(ref) > 1000)
		throw invalidArgument(`${APPARMOR}: ${JSON.stringify(ref)} is no name of a profile`);
	return { kind: 'localhost', ref };
}
