import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CLONE_NEW } from './flags.ts';
import { lowerRestore } from './restore.ts';
import { context, sampleSpec } from './sample.ts';

const restore = {
	op: 'restore',
	argv: ['/usr/sbin/criu', 'restore'],
	env: [],
	pid_file: '/b/restored.pid',
	mounts: ['/proc/keys'],
	folder: '/b/mounts',
	root_readonly: 0,
} as const;

test('mounts are made as for any container; the processes bring the rest, and their process namespace', () => {
	const spec = sampleSpec({
		mounts: [{ destination: '/proc', type: 'proc', source: 'proc' }],
		linux: {
			namespaces: [{ type: 'mount' }, { type: 'pid' }, { type: 'ipc' }],
			maskedPaths: ['/proc/keys'],
		},
	});
	const plan = lowerRestore(spec, context, restore);
	const names = plan.map(({ op }) => op);
	for (const name of ['root_bind', 'mount_fs', 'mask_path'] as const) assert.ok(names.includes(name), name);
	for (const name of ['pivot', 'user', 'capabilities', 'seccomp', 'wait_start', 'exec'] as const)
		assert.ok(!names.includes(name), name);
	assert.equal(names.at(-1), 'restore');
	const spawn = plan.find((op) => op.op === 'spawn');
	assert.equal(spawn?.new_namespaces, CLONE_NEW.mount | CLONE_NEW.ipc);
});

test('hooks would not be run, so they are refused', () => {
	const spec = sampleSpec({ hooks: { poststart: [{ path: '/bin/x' }] } });
	assert.throws(
		() => lowerRestore(spec, context, restore),
		/hooks: are not run for processes that are restored/,
	);
});
