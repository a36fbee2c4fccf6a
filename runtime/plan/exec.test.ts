import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeOp } from './describe.ts';
import { lowerExec } from './exec.ts';
import { context, sampleSpec } from './sample.ts';

const spec = sampleSpec({
	process: { terminal: true, user: { uid: 5, gid: 6 }, noNewPrivileges: true, cwd: '/srv' },
	linux: {
		namespaces: [{ type: 'pid' }, { type: 'mount' }, { type: 'user' }, { type: 'network', path: '/n' }],
	},
});

test('exec joins the namespaces of the container and takes over its user, but not its terminal', () => {
	assert.deepEqual(lowerExec(spec, { args: ['ps', 'a b'] }, context).map(describeOp), [
		'make the process (joins user of c1, mount of c1, pid of c1, network of c1, 1 cgroup)',
		'join a session keyring c1',
		'change to /srv',
		'become user 5:6',
		'keep no capability',
		'give up new privileges',
		'execute ps "a b"',
	]);
});

test('what is said for this process wins', () => {
	const plan = lowerExec(
		spec,
		{ args: ['sh'], terminal: true, cwd: '/tmp', user: { uid: 0, gid: 0 } },
		context,
	);
	const lines = plan.map(describeOp);
	assert.ok(
		lines.includes('open a terminal') &&
			lines.includes('change to /tmp') &&
			lines.includes('become user 0:0'),
	);
	assert.ok(plan.some((op) => op.op === 'terminal' && op.console === 0));
});
