import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OciResources } from '../oci/spec.ts';
import { layoutV1, layoutV2 } from '../plan/sample.ts';
import type { CgroupLayout } from './layout.ts';
import { limitWrites } from './limits.ts';

const writes = (layout: CgroupLayout, resources: OciResources) =>
	limitWrites(layout, '/p/c', resources).map(
		({ path, value, optional }) => `${path}=${value}${optional ? ' (optional)' : ''}`,
	);

const everything: OciResources = {
	cpu: { shares: 2048, quota: 20000, period: 100000, burst: 5000, cpus: '0-1', mems: '0', idle: 0 },
	memory: { limit: 1000, reservation: 500, swap: 3000 },
	pids: { limit: 42 },
	blockIO: { weight: 500 },
};

test('v1: every limit, memory before memory and swap', () => {
	assert.deepEqual(
		writes(layoutV1, {
			...everything,
			memory: { ...everything.memory, swappiness: 10, disableOOMKiller: true },
		}),
		[
			'/cg/cpu/p/c/cpu.shares=2048',
			'/cg/cpu/p/c/cpu.cfs_period_us=100000',
			'/cg/cpu/p/c/cpu.cfs_quota_us=20000',
			'/cg/cpu/p/c/cpu.cfs_burst_us=5000',
			'/cg/cpu/p/c/cpu.idle=0',
			'/cg/rest/p/c/cpuset.cpus=0-1',
			'/cg/rest/p/c/cpuset.mems=0',
			'/cg/memory/p/c/memory.limit_in_bytes=1000',
			'/cg/memory/p/c/memory.memsw.limit_in_bytes=3000',
			'/cg/memory/p/c/memory.soft_limit_in_bytes=500',
			'/cg/memory/p/c/memory.swappiness=10',
			'/cg/memory/p/c/memory.oom_control=1',
			'/cg/rest/p/c/pids.max=42',
			'/cg/rest/p/c/blkio.weight=500',
		],
	);
});

test('v2: every limit, converted; unified last', () => {
	assert.deepEqual(
		writes(layoutV2, { ...everything, unified: { 'memory.high': '900', 'cgroup.max.depth': '2' } }),
		[
			'/cg/p/c/cpu.weight=174',
			'/cg/p/c/cpu.max=20000 100000',
			'/cg/p/c/cpu.max.burst=5000',
			'/cg/p/c/cpu.idle=0',
			'/cg/p/c/cpuset.cpus=0-1',
			'/cg/p/c/cpuset.mems=0',
			'/cg/p/c/memory.max=1000',
			'/cg/p/c/memory.swap.max=2000',
			'/cg/p/c/memory.low=500',
			'/cg/p/c/pids.max=42',
			'/cg/p/c/io.weight=4950',
			'/cg/p/c/memory.high=900',
			'/cg/p/c/cgroup.max.depth=2',
		],
	);
});

test('unlimited', () => {
	const resources: OciResources = {
		cpu: { quota: -1, period: 100000 },
		memory: { limit: -1, swap: -1 },
		pids: { limit: -1 },
	};
	assert.deepEqual(writes(layoutV2, resources), [
		'/cg/p/c/cpu.max=max 100000',
		'/cg/p/c/memory.max=max',
		'/cg/p/c/memory.swap.max=max (optional)',
		'/cg/p/c/pids.max=max (optional)',
	]);
	assert.ok(writes(layoutV1, resources).includes('/cg/memory/p/c/memory.limit_in_bytes=-1'));
});

test('0 in a CRI request means unset', () => {
	const zero: OciResources = {
		cpu: { shares: 0, quota: 0, period: 0, cpus: '' },
		memory: { limit: 0, swap: 0 },
	};
	assert.deepEqual([writes(layoutV1, zero), writes(layoutV2, zero)], [[], []]);
});

test('huge pages: unlimited or none is fine without the controller, a real limit is not', () => {
	const of = (limit: number) => ({ hugepageLimits: [{ pageSize: '2MB', limit }] });
	assert.deepEqual(writes(layoutV2, of(0)), []);
	assert.throws(() => writes(layoutV2, of(4096)), {
		condition: 'FAILED_PRECONDITION',
		message: /hugepageLimits 2MB.*hugetlb/,
	});
	assert.deepEqual(writes(layoutV1, of(4096)), [
		'/cg/rest/p/c/hugetlb.2MB.limit_in_bytes=4096',
		'/cg/rest/p/c/hugetlb.2MB.rsvd.limit_in_bytes=4096 (optional)',
	]);
});

test('swap equal to memory needs no swap accounting', () => {
	const noSwap = { swap: false };
	const equal: OciResources = { memory: { limit: 1000, swap: 1000 } };
	assert.ok(writes({ ...layoutV2, ...noSwap }, equal).includes('/cg/p/c/memory.swap.max=0 (optional)'));
	assert.ok(
		writes({ ...layoutV1, ...noSwap }, equal).includes(
			'/cg/memory/p/c/memory.memsw.limit_in_bytes=1000 (optional)',
		),
	);
	for (const layout of [layoutV1, layoutV2]) {
		assert.throws(() => writes({ ...layout, ...noSwap }, { memory: { limit: 1000, swap: 1001 } }), {
			condition: 'FAILED_PRECONDITION',
			message: /memory\.swap/,
		});
	}
});

for (const [what, layout, resources, condition, message] of [
	[
		'unified on v1',
		layoutV1,
		{ unified: { 'memory.high': '1' } },
		'FAILED_PRECONDITION',
		/unified.*cgroup v2/,
	],
	[
		'a unified file of no controller',
		layoutV2,
		{ unified: { 'rdma.max': '1' } },
		'FAILED_PRECONDITION',
		/rdma/,
	],
	[
		'a unified path',
		layoutV2,
		{ unified: { '../x.y': '1' } },
		'INVALID_ARGUMENT',
		/no name of a cgroup file/,
	],
	['real time on v2', layoutV2, { cpu: { realtimeRuntime: 1 } }, 'FAILED_PRECONDITION', /realtimeRuntime/],
	['swappiness on v2', layoutV2, { memory: { swappiness: 1 } }, 'FAILED_PRECONDITION', /swappiness/],
	[
		'swap below memory',
		layoutV1,
		{ memory: { limit: 2, swap: 1 } },
		'INVALID_ARGUMENT',
		/below memory\.limit/,
	],
	['swap alone', layoutV2, { memory: { swap: 1 } }, 'INVALID_ARGUMENT', /without memory\.limit/],
	[
		'a missing controller',
		{ ...layoutV1, hierarchies: [] },
		{ pids: { limit: 1 } },
		'FAILED_PRECONDITION',
		/pids/,
	],
	['a weight out of range', layoutV1, { blockIO: { weight: 5 } }, 'INVALID_ARGUMENT', /weight/],
] as const) {
	test(`refused: ${what}`, () => {
		assert.throws(() => writes(layout, resources), { condition, message });
	});
}
