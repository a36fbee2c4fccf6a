import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sampleSpec } from '../plan/sample.ts';
import { validateSpec } from './validate.ts';

test('a whole spec is accepted', () => {
	validateSpec(
		sampleSpec({ annotations: { anything: 'goes' }, mounts: [{ destination: '/x', type: 'proc' }] }),
	);
});

for (const [what, change, message] of [
	['an unknown field at the top', { windows: {} }, /config\.json: windows: not supported/],
	['an unknown field inside', { linux: { intelRdt: {} } }, /linux\.intelRdt: not supported/],
	['an unknown field in a list', { mounts: [{ destination: '/x', colour: 1 }] }, /mounts\[0\]\.colour/],
	[
		'a wrong type',
		{ process: { ...sampleSpec().process, args: 'sh' } },
		/process\.args: expected a list, got "sh"/,
	],
	['a missing field', { process: { cwd: '/', args: ['x'] } }, /process\.user: missing/],
	['a fraction', { linux: { resources: { pids: { limit: 1.5 } } } }, /linux\.resources\.pids\.limit/],
	[
		'a negative id',
		{ process: { ...sampleSpec().process, user: { uid: -1, gid: 0 } } },
		/process\.user\.uid/,
	],
	['a NUL', { hostname: 'a\0b' }, /hostname/],
	['another major version', { ociVersion: '2.0.0' }, /ociVersion/],
	[
		'an unknown namespace',
		{ linux: { namespaces: [{ type: 'space' }] } },
		/linux\.namespaces\[0\]\.type: expected one of pid/,
	],
	['an annotation that is no string', { annotations: { a: 1 } }, /annotations\["a"\]/],
] as const) {
	test(`refused by path: ${what}`, () => {
		assert.throws(() => validateSpec({ ...sampleSpec(), ...change }), {
			condition: 'INVALID_ARGUMENT',
			message,
		});
	});
}

test('null is no spec', () => {
	assert.throws(() => validateSpec(null), /the whole: expected an object/);
});
