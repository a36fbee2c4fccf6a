import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errorsIn } from './messages.ts';

const error = (words: string) => `(00.013399) Error (criu/mount.c:3141): ${words}`;

test('errors are quoted without time and place, the first and the last of many', () => {
	assert.equal(
		errorsIn(`(00.01) Warn  (criu/x.c:1): no\n${error('mnt: No mapping for 114')}\n`),
		'mnt: No mapping for 114',
	);
	assert.equal(errorsIn(['a', 'b', 'c', 'd'].map(error).join('\n')), 'a; b; d');
});

test('what is no failure is not quoted', () => {
	assert.equal(errorsIn(error("rlimit: Can't setup RLIMIT_NOFILE for self: Operation not permitted")), '');
	assert.equal(errorsIn(''), '');
});
