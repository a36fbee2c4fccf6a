import { isAbsolute, resolve } from 'node:path';
import { invalidArgument, type StatusError } from '#base/errors.ts';
import type { CgroupLayout } from '../cgroup/layout.ts';
import type { OciNamespaceType, OciSpec } from '../oci/spec.ts';
import type { CreateOptions } from '../types.ts';

/** What a plan depends on beside the spec. Lowering reads nothing else: no file, no clock, no kernel. */
export interface PlanContext
	extends Pick<
		CreateOptions,
		'overlay' | 'joins' | 'mountsOf' | 'images' | 'pins' | 'folders' | 'startAtOnce'
	> {
	readonly id: string;
	/** Absolute path of the bundle. */
	readonly bundle: string;
	readonly cgroups: CgroupLayout;
	/** OCI cgroupsPath for a spec that names none. */
	readonly defaultCgroupsPath: string;
	/** The compiled filter of spec.linux.seccomp (struct sock_filter[]). */
	readonly seccompProgram?: Uint8Array;
}

/** The spec is fine in form, but says something that cannot be done. `path` names the field. */
export function refuse(path: string, why: string): StatusError {
	return invalidArgument(`Invalid config.json: ${path}: ${why}`);
}

/** Absolute path of the root file system on the host. */
export function rootPath(spec: OciSpec, bundle: string): string {
	return isAbsolute(spec.root.path) ? resolve(spec.root.path) : resolve(bundle, spec.root.path);
}

/** Whether the container has a namespace of this type of its own or joins another's. */
export function hasNamespace(spec: OciSpec, type: OciNamespaceType): boolean {
	return (spec.linux?.namespaces ?? []).some((namespace) => namespace.type === type);
}
