import { isDeepStrictEqual } from 'node:util';
import { invalidArgument } from '#base/errors.ts';
import type { NamespaceOption, UserNamespace } from '#cri-api';
import { idMappings } from '../sandbox/namespaces.ts';
import type { PidNamespace, PodNamespaces } from '../spec/input.ts';

/** What the choice depends on. */
export interface PidNamespaceContext {
	readonly sandboxId: string;
	readonly namespaces: PodNamespaces;
	/** Id of the running container of this sandbox that an id or prefix means. INVALID_ARGUMENT when there is none. */
	readonly target: (id: string) => string;
}

const FIELD = 'linux.security_context.namespace_options';

/** Whose process ids the container sees. CRI: POD when nothing is said. */
export function pidNamespace(
	options: NamespaceOption | null | undefined,
	context: PidNamespaceContext,
): PidNamespace {
	checkPodWide(options, context.namespaces);
	const mode = options?.pid ?? 'POD';
	if (mode === 'CONTAINER') return { mode: 'own' };
	if (mode === 'TARGET') return { mode: 'join', of: context.target(options?.target_id ?? '') };
	if (mode === 'NODE' || context.namespaces.hostPid) return { mode: 'node' };
	return { mode: 'join', of: context.sandboxId };
}

/** Network, IPC and user namespaces are the pod's; a container cannot have others. */
function checkPodWide(options: NamespaceOption | null | undefined, namespaces: PodNamespaces): void {
	if (options === null || options === undefined) return;
	checkMode('network', options.network, namespaces.hostNetwork);
	checkMode('ipc', options.ipc, namespaces.hostIpc);
	if (options.pid !== 'TARGET' && options.target_id !== '')
		throw invalidArgument(`${FIELD}.target_id is for pid TARGET only`);
	if (options.userns_options !== null) checkUserNamespace(options.userns_options, namespaces.user);
}

/** The empty message says nothing, and gets the sandbox's. */
function checkUserNamespace(wanted: UserNamespace, ofPod: PodNamespaces['user']): void {
	const field = `${FIELD}.userns_options`;
	const maps = wanted.uids.length + wanted.gids.length > 0;
	if (wanted.mode === 'POD' && !maps) return;
	if (ofPod === undefined) {
		if (wanted.mode === 'NODE' && !maps) return;
		throw invalidArgument(`${field} asks for a user namespace, but the sandbox has none`);
	}
	const same =
		wanted.mode === 'POD' &&
		isDeepStrictEqual(idMappings(`${field}.uids`, wanted.uids), ofPod.uids) &&
		isDeepStrictEqual(idMappings(`${field}.gids`, wanted.gids), ofPod.gids);
	if (!same) throw invalidArgument(`${field} is not that of the sandbox, which all its containers share`);
}

function checkMode(field: string, mode: NamespaceOption['network'], hostOfPod: boolean): void {
	if (mode === 'POD' || (mode === 'NODE' && hostOfPod)) return;
	throw invalidArgument(
		`${FIELD}.${field} is ${mode}, but this namespace is the sandbox's: ${hostOfPod ? 'NODE' : 'POD'}`,
	);
}
