import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isAtLeast, runtimeFeatures } from './features.ts';

test('kernel releases are compared by number', () => {
	assert.equal(isAtLeast('6.1.0-13-amd64', 5, 19), true);
	assert.equal(isAtLeast('5.15.0', 5, 19), false);
	assert.equal(isAtLeast('5.9-rc1', 5, 10), false);
	assert.equal(isAtLeast('10.0', 6, 3), true);
});

test('features follow the kernel', async () => {
	const old = await runtimeFeatures('5.4.0');
	assert.deepEqual(
		[old.recursiveReadOnlyMounts, old.userNamespaces, old.idmappedMounts],
		[false, false, false],
	);
	assert.equal((await runtimeFeatures('6.1.0')).recursiveReadOnlyMounts, true);
});
