import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeOp } from './describe.ts';
import { context, layoutV1, sampleSpec } from './sample.ts';
import { lowerTeardown } from './teardown.ts';

test('teardown undoes the plan, hooks while the pinned namespace is still there', () => {
	const spec = sampleSpec({ hooks: { poststop: [{ path: '/bin/net' }] } });
	const plan = lowerTeardown(spec, {
		...context,
		cgroups: layoutV1,
		pins: [{ name: 'net', path: '/pin' }],
		folders: [
			{ path: '/c', mode: 0o700 },
			{ path: '/c/upper', mode: 0o755 },
		],
	});
	assert.deepEqual(plan.map(describeOp), [
		'kill the processes of /cg/rest/gantry/gantry-c1',
		'run the poststop hooks (/bin/net)',
		'unmount /pin',
		...['rest', 'cpu', 'memory', 'systemd', 'unified'].map(
			(name) => `remove the cgroup /cg/${name}/gantry/gantry-c1`,
		),
		'remove /c/upper',
		'remove /c',
	]);
});

test('it survives JSON: recovery reads it from the bundle', () => {
	const plan = lowerTeardown(sampleSpec({ hooks: { poststop: [{ path: '/x' }] } }), context);
	assert.deepEqual(JSON.parse(JSON.stringify(plan)), plan);
});
