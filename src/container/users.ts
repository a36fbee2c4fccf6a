import { invalidArgument } from '#base/errors.ts';
import type { LinuxContainerSecurityContext } from '#cri-api';
import { checkMapped } from '../sandbox/namespaces.ts';
import type { PodNamespaces, ResolvedUser } from '../spec/input.ts';
import { type GroupEntry, isNumber, MAX_ID, type PasswdEntry, parseGroup, parsePasswd } from './accounts.ts';

/** The image's own files, as far as they are needed to look a user up. Never the node's. */
export interface AccountFiles {
	readText(path: string, limitBytes: number): Promise<string | undefined>;
}

interface Accounts {
	readonly users: readonly PasswdEntry[];
	readonly groups: readonly GroupEntry[];
}

interface PrimaryIds {
	readonly uid: number;
	readonly gid: number;
	readonly entry: PasswdEntry | undefined;
}

type UserRequest = Pick<
	LinuxContainerSecurityContext,
	'run_as_user' | 'run_as_group' | 'run_as_username' | 'supplemental_groups' | 'supplemental_groups_policy'
>;

/** Larger than any real passwd; what is larger is not read. */
const LIMIT_BYTES = 4 * 1024 * 1024;

/**
 * The user of a container: the request's, else the image's. INVALID_ARGUMENT when the name is in no file of the
 * image, or a group is given without a user.
 */
export async function resolveUser(
	request: UserRequest | undefined,
	imageUser: string,
	files: AccountFiles,
): Promise<ResolvedUser> {
	checkGroupHasUser(request);
	const [passwd = '', group = ''] = await Promise.all([
		files.readText('/etc/passwd', LIMIT_BYTES),
		files.readText('/etc/group', LIMIT_BYTES),
	]);
	const accounts: Accounts = { users: parsePasswd(passwd), groups: parseGroup(group) };
	const primary = requestedIds(request, accounts) ?? imageIds(imageUser, accounts);
	return {
		uid: primary.uid,
		gid: primary.gid,
		groups: groupsOf(primary, request, accounts),
		home: primary.entry?.home || '/',
	};
}

/** CRI: run_as_group must only be given with run_as_user or run_as_username. */
export function checkGroupHasUser(
	request:
		| { readonly run_as_user: unknown; readonly run_as_group: unknown; readonly run_as_username?: string }
		| undefined,
): void {
	if (request === undefined || request.run_as_group === null) return;
	if (request.run_as_user !== null || (request.run_as_username ?? '') !== '') return;
	throw invalidArgument(
		'linux.security_context.run_as_group is given without run_as_user or run_as_username',
	);
}

/** CRI: only one of run_as_user and run_as_username. */
export function checkOneUser(
	request: Pick<UserRequest, 'run_as_user' | 'run_as_username'> | undefined,
): void {
	if (request === undefined || request.run_as_user === null || request.run_as_username === '') return;
	throw invalidArgument(
		`linux.security_context has both run_as_user (${request.run_as_user.value}) and ` +
			`run_as_username (${JSON.stringify(request.run_as_username)}); give one of them`,
	);
}

function requestedIds(request: UserRequest | undefined, accounts: Accounts): PrimaryIds | undefined {
	if (request === undefined) return undefined;
	const gid = request.run_as_group === null ? undefined : idOf('run_as_group', request.run_as_group.value);
	if (request.run_as_user !== null) {
		const uid = idOf('run_as_user', request.run_as_user.value);
		const entry = accounts.users.find((user) => user.uid === uid);
		return { uid, gid: gid ?? entry?.gid ?? 0, entry };
	}
	if (request.run_as_username === '') return undefined;
	const entry = userByName(request.run_as_username, accounts);
	return { uid: entry.uid, gid: gid ?? entry.gid, entry };
}

/** The forms of an image's user: '', `uid`, `uid:gid`, `name`, `name:group`, and mixtures. */
function imageIds(text: string, accounts: Accounts): PrimaryIds {
	const [user = '', group = ''] = text.split(':');
	const gid = group === '' ? undefined : groupId(group, accounts);
	if (user === '' || isNumber(user)) {
		const uid = user === '' ? 0 : idOf("the image's user", user);
		const entry = accounts.users.find((candidate) => candidate.uid === uid);
		return { uid, gid: gid ?? entry?.gid ?? 0, entry };
	}
	const entry = userByName(user, accounts);
	return { uid: entry.uid, gid: gid ?? entry.gid, entry };
}

/** The primary group first. Merge adds the groups that the image lists the user in; Strict does not. */
function groupsOf(
	{ gid, entry }: PrimaryIds,
	request: UserRequest | undefined,
	accounts: Accounts,
): readonly number[] {
	const requested = (request?.supplemental_groups ?? []).map((value) => idOf('supplemental_groups', value));
	const ofImage =
		entry === undefined || request?.supplemental_groups_policy === 'Strict'
			? []
			: accounts.groups.filter((group) => group.members.includes(entry.name)).map((group) => group.gid);
	return [...new Set([gid, ...requested, ...ofImage])];
}

function userByName(name: string, { users }: Accounts): PasswdEntry {
	const entry = users.find((user) => user.name === name);
	if (entry === undefined) {
		throw invalidArgument(
			`User ${JSON.stringify(name)} is not in /etc/passwd of the image; use a number, or an image that has it`,
		);
	}
	return entry;
}

function groupId(group: string, { groups }: Accounts): number {
	if (isNumber(group)) return idOf("the image's group", group);
	const entry = groups.find((candidate) => candidate.name === group);
	if (entry === undefined)
		throw invalidArgument(`Group ${JSON.stringify(group)} is not in /etc/group of the image`);
	return entry.gid;
}

/** A user or group id from decimal text. */
export function idOf(field: string, text: string): number {
	const id = Number(text);
	if (!Number.isInteger(id) || id < 0 || id > MAX_ID)
		throw invalidArgument(`${field} is ${text}, expected 0 to ${MAX_ID}`);
	return id;
}

/** A process can only have ids that the user namespace of its pod maps. */
export function checkUserMapped(
	{ uid, gid, groups }: Pick<ResolvedUser, 'uid' | 'gid' | 'groups'>,
	maps: PodNamespaces['user'],
): void {
	if (maps === undefined) return;
	checkMapped(`user ${uid}`, uid, maps.uids);
	for (const group of new Set([gid, ...groups])) checkMapped(`group ${group}`, group, maps.gids);
}
