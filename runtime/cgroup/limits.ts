import type { OciResources } from '../oci/spec.ts';
import { type CgroupLayout, controllerFolder } from './layout.ts';
import { unsupported } from './limit.ts';
import { limitsV1 } from './limits-v1.ts';
import { limitsV2 } from './limits-v2.ts';

/** One value for one cgroup file. */
export interface LimitWrite {
	readonly path: string;
	readonly value: string;
	/** The file may be missing: without it the limit holds all the same. */
	readonly optional: boolean;
}

/**
 * The writes that make `resources` so, in an order that a fresh cgroup takes. Pure.
 * FAILED_PRECONDITION names a resource that this machine cannot limit, INVALID_ARGUMENT one that contradicts itself.
 */
export function limitWrites(
	layout: CgroupLayout,
	cgroupsPath: string,
	resources: OciResources,
): LimitWrite[] {
	const limits = layout.version === 2 ? limitsV2(layout, resources) : limitsV1(layout, resources);
	return limits.flatMap(({ controller, file, value, resource, optional = false }) => {
		const folder = folderOf(layout, controller, cgroupsPath);
		if (folder !== undefined) return [{ path: `${folder}/${file}`, value, optional }];
		if (optional) return [];
		throw unsupported(resource, `the cgroup controller ${controller} is not available on this machine`);
	});
}

/** Files named cgroup.* belong to no controller. */
function folderOf(layout: CgroupLayout, controller: string, cgroupsPath: string): string | undefined {
	if (controller === 'cgroup' && layout.version === 2) return `${layout.mountRoot}${cgroupsPath}`;
	return controllerFolder(layout, controller, cgroupsPath);
}
