/** A spec and a context for unit tests: what a CRI container looks like, without a machine. */
import type { CgroupLayout } from '../cgroup/layout.ts';
import type { OciLinux, OciProcess, OciSpec } from '../oci/spec.ts';
import type { PlanContext } from './context.ts';

const V1 = ['cpu', 'memory', 'devices', 'pids', 'cpuset', 'freezer', 'blkio', 'hugetlb'];

export const layoutV1: CgroupLayout = {
	version: 1,
	mountRoot: '/cg',
	hierarchies: [
		...['cpu', 'memory'].map((name) => ({
			folder: `/cg/${name}`,
			name,
			v2: false,
			named: false,
			controllers: [name],
		})),
		{ folder: '/cg/rest', name: 'rest', v2: false, named: false, controllers: V1.slice(2) },
		{ folder: '/cg/systemd', name: 'systemd', v2: false, named: true, controllers: [] },
		{ folder: '/cg/unified', name: 'unified', v2: true, named: false, controllers: [] },
	],
	controllers: new Set(V1),
	swap: true,
	bfq: false,
};

const V2 = ['cpu', 'cpuset', 'io', 'memory', 'pids'];

export const layoutV2: CgroupLayout = {
	version: 2,
	mountRoot: '/cg',
	hierarchies: [{ folder: '/cg', name: 'cg', v2: true, named: false, controllers: V2 }],
	controllers: new Set(V2),
	swap: true,
	bfq: false,
};

export const context: PlanContext = {
	id: 'c1',
	bundle: '/b',
	cgroups: layoutV2,
	defaultCgroupsPath: '/gantry/gantry-c1',
};

export const process: OciProcess = {
	cwd: '/',
	args: ['/bin/sh', '-c', 'true'],
	env: ['PATH=/bin'],
	user: { uid: 0, gid: 0 },
};

/** A small spec; `linux` and `process` are merged. */
export function sampleSpec(
	overrides: Omit<Partial<OciSpec>, 'linux' | 'process'> & {
		linux?: OciLinux;
		process?: Partial<OciProcess>;
	} = {},
): OciSpec {
	return {
		ociVersion: '1.2.0',
		root: { path: 'rootfs' },
		...overrides,
		process: { ...process, ...overrides.process },
		linux: { namespaces: [{ type: 'mount' }, { type: 'pid' }], ...overrides.linux },
	};
}
