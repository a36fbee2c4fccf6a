import { type With, withProcess } from './draft.ts';
import type { ResolvedUser } from './input.ts';

/** The ids of the process. */
export const withUser: With<{ readonly user: Pick<ResolvedUser, 'uid' | 'gid' | 'groups'> }> = (
	spec,
	{ user },
) =>
	withProcess(spec, {
		user: {
			uid: user.uid,
			gid: user.gid,
			...(user.groups.length > 0 ? { additionalGids: user.groups } : {}),
		},
	});
