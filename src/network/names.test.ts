import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hostLinkIndex, hostLinkName, linkAlias, macFor, sandboxOfAlias } from './names.ts';

const ID = '0123456789abcdef'.repeat(4);

test('a host link name fits the kernel and differs between instances', () => {
	assert.ok(hostLinkName('abcdefghi', ID).length <= 15);
	assert.match(hostLinkName('gantry', ID), /^gt[0-9a-f]{3}01234567$/);
	assert.notEqual(hostLinkName('gantry', ID), hostLinkName('demo', ID));
});

test('an alias tells the sandbox, and only for its own instance', () => {
	assert.equal(sandboxOfAlias('demo', linkAlias('demo', ID)), ID);
	assert.equal(sandboxOfAlias('demo', linkAlias('demo2', ID)), undefined);
	assert.equal(sandboxOfAlias('demo', 'gantry:demo'), undefined);
});

test('a MAC is unicast, locally administered and stable', () => {
	for (const text of ['10.85.0.2', '10.85.0.3', 'fd00::2']) {
		const first = macFor(text)[0] ?? 0;
		assert.equal(first & 0x03, 0x02);
		assert.deepEqual(macFor(text), macFor(text));
	}
	assert.notDeepEqual(macFor('10.85.0.2'), macFor('10.85.0.3'));
});

test('a link index is a positive 31 bit number above those of the kernel', () => {
	const index = hostLinkIndex('gantry', ID);
	assert.ok(index >= 10_000_000 && index < 2 ** 31);
});
