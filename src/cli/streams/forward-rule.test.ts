import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseForwardRule } from './forward-rule.ts';

test('pairs of ports, and what is none', () => {
	assert.deepEqual(parseForwardRule('8080:80'), { local: 8080, remote: 80 });
	assert.deepEqual(parseForwardRule('80'), { local: 80, remote: 80 });
	assert.deepEqual(parseForwardRule(':80'), { local: 0, remote: 80 });
	assert.deepEqual(parseForwardRule('0:65535'), { local: 0, remote: 65535 });
	for (const wrong of ['', ':', '80:', '0', '65536', '65536:80', '-1:80', '80:http', '1:2:3', '80 '])
		assert.throws(() => parseForwardRule(wrong), {
			condition: 'INVALID_ARGUMENT',
			message: /is no pair of ports; write \[LOCAL:\]REMOTE/,
		});
});
