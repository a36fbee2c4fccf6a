import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseQuantity } from './quantity.ts';

test('quantities are those of Kubernetes', () => {
	for (const [text, value] of [
		['10M', 10_000_000],
		['1Gi', 2 ** 30],
		['1.5k', 1500],
		['1e6', 1_000_000],
		['2E3', 2000],
		['100m', 0.1],
		['+5', 5],
		['.5k', 500],
		['12', 12],
		['1E', 1e18],
	] as const)
		assert.equal(parseQuantity(text), value, text);
	for (const text of [
		'0e999',
		'9e999',
		`${'1'.repeat(200_000)}x`,
		'',
		'M',
		'1 M',
		'1MB',
		'0x10',
		'ten',
		'1K',
		'1constructor',
	])
		assert.equal(parseQuantity(text), undefined, text);
});
