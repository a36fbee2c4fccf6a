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
	const uids = idMappings(`${field}.uids`, options.uids);
	const gids = idMappings(`${field}.gids`, options.gids);
	checkMapped('user 0, as whom the pod is made', 0, uids);
	checkMapped('group 0, as which the pod is made', 0, gids);
	return { uids, gids };
}

/** The kernel's most (user_namespaces(7)). */
const MOST_MAPPINGS = 340;
/** A map is written in one piece of less than a page: with long numbers these are fewer mappings. */
const MOST_MAP_BYTES = 4095;
const MAX_ID = 0xffffffff;

/** CRI id mappings in OCI form. INVALID_ARGUMENT for what the kernel would refuse without a word. */
export function idMappings(field: string, mappings: readonly IDMapping[]): readonly OciIdMapping[] {
	if (mappings.length === 0) throw invalidArgument(`${field} is empty: a user namespace needs a mapping`);
	if (mappings.length > MOST_MAPPINGS) {
		throw invalidArgument(
			`${field} has ${mappings.length} mappings, and the kernel takes ${MOST_MAPPINGS} at most`,
		);
	}
	const lines = mappings.map((one) => `${one.container_id} ${one.host_id} ${one.length}\n`);
	const { length: bytes } = lines.join('');
	if (bytes > MOST_MAP_BYTES) {
		throw invalidArgument(
			`${field} has ${mappings.length} mappings in ${bytes} bytes, and the kernel takes ${MOST_MAP_BYTES} at most: ask for fewer`,
		);
	}
	for (const [index, mapping] of mappings.entries()) checkMapping(`${field}[${index}]`, mapping);
	for (const side of ['container_id', 'host_id'] as const) checkApart(field, side, mappings);
	return mappings.map(({ host_id, container_id, length }) => ({
		containerID: container_id,
		hostID: host_id,
		size: length,
	}));
}

function checkMapping(field: string, { host_id, container_id, length }: IDMapping): void {
	if (length === 0) throw invalidArgument(`${field} has a length of 0`);
	if (Math.max(host_id, container_id) + length - 1 >= MAX_ID)
		throw invalidArgument(`${field} reaches beyond ${MAX_ID - 1}, the largest id there is`);
}

/** In the order of their ids no range begins before the one before it has ended. */
function checkApart(field: string, side: 'container_id' | 'host_id', mappings: readonly IDMapping[]): void {
	const sorted = mappings.toSorted((one, other) => one[side] - other[side]);
	for (const [index, { [side]: from, length }] of sorted.entries()) {
		const next = sorted[index + 1]?.[side];
		if (next === undefined || next >= from + length) continue;
		throw invalidArgument(
			`${field} overlaps: the ${side}s from ${from} to ${from + length - 1} and those from ${next} on`,
		);
	}
}

/** INVALID_ARGUMENT for an id that a pod's map does not hold. `what`: `user 70000 (run_as_user)`. */
export function checkMapped(what: string, id: number, map: readonly OciIdMapping[]): void {
	if (map.some(({ containerID, size }) => id >= containerID && id < containerID + size)) return;
	const ranges = map.map(({ containerID, size }) => `${containerID} to ${containerID + size - 1}`).join(', ');
	throw invalidArgument(
		`The id map of the pod is too small: it holds ${ranges}, but not ${what}; ask for a larger one, or another id`,
	);
}
