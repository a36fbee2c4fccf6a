import { invalidArgument } from '#base/errors.ts';
import type { IDMapping, NamespaceMode, NamespaceOption, UserNamespace } from '#cri-api';
import type { OciIdMapping } from '#runtime';
import type { PodNamespaces, UserNamespaceMaps } from '../spec/input.ts';

const FIELD = 'linux.security_context.namespace_options';

/** The namespaces that a sandbox asks for. CRI: POD is the default of all; CONTAINER and TARGET make no sense here. */
export function podNamespaces(options: NamespaceOption | null | undefined): PodNamespaces {
	if (options === null || options === undefined) {
		return { hostNetwork: false, hostIpc: false, hostPid: false, user: undefined };
	}
	if (options.target_id !== '')
		throw invalidArgument(`${FIELD}.target_id is for containers, not for sandboxes`);
	return {
		hostNetwork: isNode('network', options.network),
		hostIpc: isNode('ipc', options.ipc),
		// CONTAINER is how the kubelet asks for a process namespace per container; the sandbox's own is then unused.
		hostPid: options.pid === 'CONTAINER' ? false : isNode('pid', options.pid),
		user: userNamespace(options.userns_options),
	};
}

function isNode(field: string, mode: NamespaceMode): boolean {
	if (mode === 'POD') return false;
	if (mode === 'NODE') return true;
	throw invalidArgument(`${FIELD}.${field} is ${mode}, expected POD or NODE for a sandbox`);
}

function userNamespace(options: UserNamespace | null): UserNamespaceMaps | undefined {
	const field = `${FIELD}.userns_options`;
	if (options === null) return undefined;
	if (options.mode === 'NODE') {
		if (options.uids.length + options.gids.length === 0) return undefined;
		throw invalidArgument(`${field} has mappings, but mode is NODE; leave them out, or ask for POD`);
	}
	if (options.mode !== 'POD') throw invalidArgument(`${field}.mode is ${options.mode}, expected POD or NODE`);
	return { uids: idMappings(`${field}.uids`, options.uids), gids: idMappings(`${field}.gids`, options.gids) };
}

/** CRI id mappings in OCI form. */
export function idMappings(field: string, mappings: readonly IDMapping[]): readonly OciIdMapping[] {
	if (mappings.length === 0) throw invalidArgument(`${field} is empty: a user namespace needs a mapping`);
	return mappings.map(({ host_id, container_id, length }) => {
		if (length === 0) throw invalidArgument(`${field} has a mapping of length 0`);
		return { containerID: container_id, hostID: host_id, size: length };
	});
}
