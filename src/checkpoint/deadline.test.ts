import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Deadline } from './deadline.ts';

const config = { runtime: { checkpointTimeoutSeconds: 600 } };
const remaining = (seconds: bigint) => new Deadline('save it', seconds, config).remainingMs;

test('a request without a timeout has the configured one, and none is without end', () => {
	assert.ok(remaining(0n) > 0 && remaining(0n) <= 600_000);
	assert.ok(remaining(5n) <= 5_000);
	const forever = remaining(2n ** 62n);
	assert.ok(forever > 600_000 && forever < 2 ** 31);
	assert.throws(() => remaining(-1n), /timeout is -1 s/);
});
