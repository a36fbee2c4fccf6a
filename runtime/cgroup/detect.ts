import { readdir, readFile, realpath } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { errnoOf, failedPrecondition } from '#base/errors.ts';
import type { CgroupLayout, Hierarchy } from './layout.ts';

/** Looks at what is mounted below `mountRoot`. FAILED_PRECONDITION when there is no cgroup hierarchy at all. */
export async function detectCgroups(mountRoot: string): Promise<CgroupLayout> {
	const unified = await controllersOf(mountRoot);
	if (unified !== undefined) return v2Layout(mountRoot, unified);
	const hierarchies = await v1Hierarchies(mountRoot);
	if (!hierarchies.some(({ v2 }) => !v2)) {
		throw failedPrecondition(`Cannot use cgroups: no hierarchy is mounted below ${mountRoot}`);
	}
	const folder = (controller: string) =>
		hierarchies.find(({ controllers }) => controllers.includes(controller))?.folder;
	return {
		version: 1,
		mountRoot,
		hierarchies,
		controllers: new Set(
			hierarchies.flatMap(({ controllers, v2, named }) => (v2 || named ? [] : controllers)),
		),
		swap: (await filesOf(folder('memory'))).includes('memory.memsw.limit_in_bytes'),
		bfq: (await filesOf(folder('blkio'))).some((name) => name.startsWith('blkio.bfq.')),
	};
}

async function v2Layout(mountRoot: string, controllers: readonly string[]): Promise<CgroupLayout> {
	const children = await childFiles(mountRoot);
	return {
		version: 2,
		mountRoot,
		hierarchies: [{ folder: mountRoot, name: basename(mountRoot), v2: true, named: false, controllers }],
		controllers: new Set(controllers),
		// The root cgroup has neither file; without any child that has memory files nothing speaks against it.
		swap: children.has('memory.swap.max') || !children.has('memory.max'),
		bfq: children.has('io.bfq.weight') && !children.has('io.weight'),
	};
}

async function v1Hierarchies(mountRoot: string): Promise<Hierarchy[]> {
	const found = new Map<string, Hierarchy>();
	for (const entry of await filesOf(mountRoot)) {
		const folder = await realpath(join(mountRoot, entry)).catch(() => undefined);
		// Controllers mounted together have links with their single names: cpu → cpu,cpuacct.
		if (folder === undefined || found.has(folder) || basename(folder) !== entry) continue;
		const files = await filesOf(folder);
		if (!files.includes('cgroup.procs')) continue;
		const v2 = files.includes('cgroup.controllers');
		const named = !v2 && !isController(entry);
		const controllers = v2 ? ((await controllersOf(folder)) ?? []) : named ? [] : entry.split(',');
		found.set(folder, { folder, name: entry, v2, named, controllers });
	}
	return [...found.values()];
}

const V1_CONTROLLERS = new Set(
	'cpu cpuacct cpuset memory devices freezer blkio pids hugetlb net_cls net_prio perf_event rdma misc debug'.split(
		' ',
	),
);
const isController = (name: string): boolean => name.split(',').every((part) => V1_CONTROLLERS.has(part));

async function controllersOf(folder: string): Promise<string[] | undefined> {
	try {
		const text = await readFile(join(folder, 'cgroup.controllers'), 'utf8');
		return text.split(/\s+/).filter((name) => name !== '');
	} catch (error) {
		if (errnoOf(error) === 'ENOENT') return undefined;
		throw error;
	}
}

async function childFiles(folder: string): Promise<Set<string>> {
	const names = new Set<string>();
	const entries = await readdir(folder, { withFileTypes: true });
	for (const entry of entries) {
		if (entry.isDirectory()) for (const name of await filesOf(join(folder, entry.name))) names.add(name);
	}
	return names;
}

async function filesOf(folder: string | undefined): Promise<string[]> {
	return folder === undefined ? [] : (await readdir(folder).catch(() => [])).toSorted();
}
