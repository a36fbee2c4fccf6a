import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CAPABILITIES } from '#runtime';
import { readHostFacts } from './host-facts.ts';

test('the facts of this machine can be read', () => {
	const facts = readHostFacts(2);
	assert.equal(facts.cgroupVersion, 2);
	for (const name of facts.capabilities) assert.ok(CAPABILITIES.some((known) => known === name));
});
