import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseChallenges } from './challenge.ts';

test('reads a bearer challenge', () => {
	assert.deepEqual(
		parseChallenges('Bearer realm="https://a/token",service="r.example",scope="repository:x:pull,push"'),
		[
			{
				scheme: 'bearer',
				parameters: { realm: 'https://a/token', service: 'r.example', scope: 'repository:x:pull,push' },
			},
		],
	);
});

test('reads several, quoted and bare', () => {
	assert.deepEqual(parseChallenges('Negotiate, Basic realm="a \\"b\\"", charset=UTF-8, Bearer realm=x'), [
		{ scheme: 'negotiate', parameters: {} },
		{ scheme: 'basic', parameters: { realm: 'a "b"', charset: 'UTF-8' } },
		{ scheme: 'bearer', parameters: { realm: 'x' } },
	]);
});

test('stops at what it cannot read', () => {
	assert.deepEqual(parseChallenges(`Bearer${' '.repeat(200_000)}(`), [{ scheme: 'bearer', parameters: {} }]);
	assert.deepEqual(parseChallenges(''), []);
	assert.deepEqual(parseChallenges('"'), []);
	assert.deepEqual(parseChallenges('Bearer realm="unfinished'), [{ scheme: 'bearer', parameters: {} }]);
});
