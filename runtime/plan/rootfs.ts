import type { OciSpec } from '../oci/spec.ts';
import type { Op } from '../shim/codec.ts';
import { hasNamespace, type PlanContext, refuse, rootPath } from './context.ts';
import { MS } from './flags.ts';
import { PROPAGATION } from './mount-options.ts';
import { withLabel } from './mounts.ts';
import { idMap } from './namespaces.ts';

/** Folders of the host that must exist before the process. */
export function folderOps(spec: OciSpec, context: PlanContext): Op[] {
	const own = (context.folders ?? []).map(
		({ path, mode, uid = 0, gid = 0 }): Op => ({ op: 'make_folder', path, mode, uid, gid }),
	);
	if (context.overlay === undefined) return own;
	return [...own, { op: 'make_folder', path: rootPath(spec, context.bundle), mode: 0o755, uid: 0, gid: 0 }];
}

/**
 * The root mount. The mount namespace starts as a copy of the host's; slave keeps what the host mounts later
 * visible to binds that ask for it, and nothing flows back.
 */
export function rootOps(spec: OciSpec, context: PlanContext): Op[] {
	const target = rootPath(spec, context.bundle);
	const { overlay } = context;
	const wanted = propagationOf(spec);
	const root: Op =
		overlay === undefined
			? { op: 'root_bind', source: target, target, readonly: 0 }
			: {
					op: 'root_overlay',
					target,
					lowers: overlay.lowers,
					upper: overlay.upper,
					work: overlay.work,
					options: withLabel(overlay.options ?? '', spec.linux?.mountLabel),
				};
	return [
		{ op: 'propagation', flags: (wanted === 0n ? MS.SLAVE : wanted) | MS.REC },
		...(overlay === undefined ? [] : idmapOps(spec)),
		root,
	];
}

/** Image layers carry host ids; inside a user namespace they must appear as the container's. */
function idmapOps(spec: OciSpec): Op[] {
	if (!hasNamespace(spec, 'user')) return [];
	const { uidMappings = [], gidMappings = [] } = spec.linux ?? {};
	if (uidMappings.length === 0 || gidMappings.length === 0) {
		throw refuse(
			'linux.uidMappings',
			'an overlay root in a user namespace needs the mappings of that namespace',
		);
	}
	return [{ op: 'root_idmap', uid_map: idMap(uidMappings), gid_map: idMap(gidMappings) }];
}

/** Into the root, and what may only be done when nothing is made in it any more. */
export function enterRootOps(spec: OciSpec): Op[] {
	const flags = propagationOf(spec);
	return [
		{ op: 'pivot', no_pivot: 0 },
		...(flags === 0n ? [] : [{ op: 'root_propagation', flags } as const]),
		...(spec.root.readonly ? [{ op: 'root_readonly' } as const] : []),
	];
}

function propagationOf(spec: OciSpec): bigint {
	const name = spec.linux?.rootfsPropagation;
	return name === undefined ? 0n : (PROPAGATION[name] ?? 0n);
}
