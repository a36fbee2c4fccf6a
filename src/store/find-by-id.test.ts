import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findById } from './find-by-id.ts';

const objects = new Map([
	['abc', 1],
	['abd', 2],
	['ab', 3],
]);

test('by whole id, also when it begins others; by unique prefix; never by nothing', () => {
	assert.equal(findById(objects, 'abc', 'thing'), 1);
	assert.equal(findById(objects, 'ab', 'thing'), 3);
	assert.equal(findById(new Map([['abc', 1]]), 'a', 'thing'), 1);
	assert.equal(findById(objects, 'x', 'thing'), undefined);
	assert.equal(findById(new Map([['abc', 1]]), '', 'thing'), undefined);
	assert.throws(() => findById(objects, 'a', 'thing'), {
		condition: 'INVALID_ARGUMENT',
		message: /ambiguous/,
	});
});
