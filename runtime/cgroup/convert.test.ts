import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cpuWeight, ioWeight, swapMax } from './convert.ts';

test('cpu weights go through minimum, default and maximum, and grow', () => {
	assert.deepEqual([0, 2, 1024, 262144, 999999].map(cpuWeight), [1, 1, 100, 10000, 10000]);
	const curve = Array.from({ length: 18 }, (_, power) => cpuWeight(2 ** (power + 1)));
	assert.deepEqual(
		curve,
		curve.toSorted((a, b) => a - b),
	);
	assert.equal(new Set(curve).size, curve.length);
});

test('io weights', () => {
	assert.deepEqual([10, 1000].map(ioWeight), [1, 10000]);
});

test("OCI's swap is memory and swap together", () => {
	assert.equal(swapMax(300, 100), '200');
	assert.equal(swapMax(100, 100), '0');
	assert.equal(swapMax(-1, 100), 'max');
	assert.equal(swapMax(undefined, 100), undefined);
});
