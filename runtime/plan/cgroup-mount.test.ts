import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CgroupLayout } from '../cgroup/layout.ts';
import { describeOp } from './describe.ts';
import { mountOps } from './mounts.ts';
import { context, layoutV1, layoutV2, sampleSpec } from './sample.ts';

function lines(cgroups: CgroupLayout, namespace: boolean, options: string[]): string[] {
	const spec = sampleSpec({
		mounts: [{ destination: '/cg', type: 'cgroup', options }],
		linux: { namespaces: [{ type: 'mount' }, ...(namespace ? [{ type: 'cgroup' } as const] : [])] },
	});
	return mountOps(spec, '/p/c', { ...context, cgroups }).map(describeOp);
}

test('v2 with a namespace of its own: a fresh mount', () => {
	assert.deepEqual(lines(layoutV2, true, ['ro']), ['mount cgroup2 at /cg (rdonly)']);
});

test("v2 in the host's namespace: the host's mount", () => {
	assert.deepEqual(lines(layoutV2, false, ['ro']), [
		'bind /cg at /cg (recursive, read-only, recursively read-only)',
	]);
});

test('v1 with a namespace: a tmpfs with every hierarchy, and links for controllers mounted together', () => {
	assert.deepEqual(lines(layoutV1, true, ['nosuid', 'ro']), [
		'mount tmpfs at /cg (nosuid, mode=755)',
		'mount cgroup at /cg/cpu (rdonly, nosuid, cpu)',
		'mount cgroup at /cg/memory (rdonly, nosuid, memory)',
		'mount cgroup at /cg/rest (rdonly, nosuid, devices,pids,cpuset,freezer,blkio,hugetlb)',
		...['devices', 'pids', 'cpuset', 'freezer', 'blkio', 'hugetlb'].map((name) => `link /cg/${name} to rest`),
		'mount cgroup at /cg/systemd (rdonly, nosuid, none,name=systemd)',
		'make /cg read-only',
	]);
});

test("v1 in the host's namespace: the container's own cgroups by bind, writable when asked", () => {
	const found = lines(layoutV1, false, ['rw']);
	assert.ok(found.includes('bind /cg/cpu/p/c at /cg/cpu'));
	assert.ok(!found.includes('make /cg read-only'));
});
