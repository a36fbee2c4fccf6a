import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inTurns } from './turns.ts';

test('long work lets others have their turn, and keeps its order', async () => {
	let turnsOfOthers = 0;
	const other = (): void => {
		turnsOfOthers += 1;
		if (turnsOfOthers < 3) setImmediate(other);
	};
	setImmediate(other);
	const doubled = await inTurns([1, 2, 3, 4, 5], (item) => {
		const endsMs = performance.now() + 2;
		while (performance.now() < endsMs);
		return item * 2;
	});
	assert.deepEqual(doubled, [2, 4, 6, 8, 10]);
	assert.equal(turnsOfOthers, 3);
});
