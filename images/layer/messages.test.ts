import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StatusError } from '#base/errors.ts';
import { fromPlain, toPlain } from './messages.ts';

test('an error crosses threads with its meaning', () => {
	const sent = new StatusError('UNAVAILABLE', 'no answer', { reason: 'RegistryUnavailable' });
	const got = fromPlain(structuredClone(toPlain(sent)));
	assert.deepEqual([got.condition, got.reason, got.message], [sent.condition, sent.reason, sent.message]);
	assert.deepEqual(
		[fromPlain(toPlain(new TypeError('bug'))).condition, fromPlain(toPlain('text')).condition],
		['INTERNAL', 'INTERNAL'],
	);
});
