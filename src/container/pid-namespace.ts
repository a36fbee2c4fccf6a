import { invalidArgument } from '#base/errors.ts';
import type { NamespaceOption } from '#cri-api';
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
	const user = options.userns_options;
	if (user?.mode === 'POD' && namespaces.user === undefined && user.uids.length > 0) {
		throw invalidArgument(`${FIELD}.userns_options asks for a user namespace, but the sandbox has none`);
	}
}

function checkMode(field: string, mode: NamespaceOption['network'], hostOfPod: boolean): void {
	if (mode === 'POD' || (mode === 'NODE' && hostOfPod)) return;
	throw invalidArgument(
		`${FIELD}.${field} is ${mode}, but this namespace is the sandbox's: ${hostOfPod ? 'NODE' : 'POD'}`,
	);
}
