import { cgroupMembers } from '../cgroup/layout.ts';
import type { OciIdMapping, OciNamespaceType, OciSpec } from '../oci/spec.ts';
import type { Op, OpArgs, Struct } from '../shim/codec.ts';
import { hasNamespace, type PlanContext, refuse } from './context.ts';
import { CLONE_NEW } from './flags.ts';

/** OCI id mappings in the protocol's form. */
export function idMap(mappings: readonly OciIdMapping[] | undefined): Struct<'id_map'>[] {
	return (mappings ?? []).map(({ containerID, hostID, size }) => ({
		container_id: containerID,
		host_id: hostID,
		size,
	}));
}

/** The spawn step: namespaces new and joined, id maps, cgroups, OOM score. */
export function spawnOp(spec: OciSpec, cgroupsPath: string, context: PlanContext): Op {
	const joins = namespaceJoins(spec, context);
	const newFlags = newNamespaces(spec, joins);
	const score = spec.process?.oomScoreAdj;
	const mapped = (newFlags & CLONE_NEW.user) !== 0;
	checkMappings(spec, mapped, joins);
	return {
		op: 'spawn',
		new_namespaces: newFlags,
		joins,
		uid_map: mapped ? idMap(spec.linux?.uidMappings) : [],
		gid_map: mapped ? idMap(spec.linux?.gidMappings) : [],
		cgroups: cgroupMembers(context.cgroups, cgroupsPath),
		set_oom_score_adj: score === undefined ? 0 : 1,
		oom_score_adj: score ?? 0,
	};
}

function namespaceJoins(spec: OciSpec, context: PlanContext): OpArgs<'spawn'>['joins'] {
	for (const { type } of context.joins ?? []) {
		// exec joins what the spec names: a namespace that only create knew of would be forgotten.
		if (!hasNamespace(spec, type))
			throw refuse('linux.namespaces', `the joined ${type} namespace is not listed`);
	}
	const ofContainers = (context.joins ?? []).map(({ type, of }) => ({ type: CLONE_NEW[type], path: '', of }));
	const taken = new Set((context.joins ?? []).map(({ type }) => type));
	const byPath = (spec.linux?.namespaces ?? []).flatMap(({ type, path }, index) => {
		if (path === undefined || taken.has(type)) return [];
		if (!path.startsWith('/')) throw refuse(`linux.namespaces[${index}].path`, `${path} is not absolute`);
		return [{ type: CLONE_NEW[type], path, of: '' }];
	});
	return [...ofContainers, ...byPath];
}

function newNamespaces(spec: OciSpec, joins: OpArgs<'spawn'>['joins']): number {
	let flags = 0;
	const seen = new Set<OciNamespaceType>();
	for (const [index, { type }] of (spec.linux?.namespaces ?? []).entries()) {
		if (seen.has(type)) throw refuse(`linux.namespaces[${index}]`, `the ${type} namespace is named twice`);
		seen.add(type);
		if (!joins.some((join) => join.type === CLONE_NEW[type])) flags |= CLONE_NEW[type];
	}
	const mount = (flags & CLONE_NEW.mount) !== 0 || joins.some((join) => join.type === CLONE_NEW.mount);
	if (!mount)
		throw refuse('linux.namespaces', 'a mount namespace is needed: the root file system exists only there');
	return flags;
}

function checkMappings(spec: OciSpec, newUserNamespace: boolean, joins: OpArgs<'spawn'>['joins']): void {
	const { uidMappings = [], gidMappings = [] } = spec.linux ?? {};
	const joined = joins.some((join) => join.type === CLONE_NEW.user);
	if ((uidMappings.length > 0 || gidMappings.length > 0) && !newUserNamespace && !joined) {
		throw refuse('linux.uidMappings', 'id mappings need a user namespace');
	}
	if (newUserNamespace && (uidMappings.length === 0 || gidMappings.length === 0)) {
		throw refuse('linux.uidMappings', 'a new user namespace needs uidMappings and gidMappings');
	}
}
