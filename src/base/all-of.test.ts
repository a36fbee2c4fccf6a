import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { allOf } from './all-of.ts';

test('gives what each gives, in their order', async () => {
	assert.deepEqual(await allOf([sleep(5, 'a'), Promise.resolve(1)]), ['a', 1]);
});

test('fails with the first of the list, and only when nobody works any more', async () => {
	let isDone = false;
	const works = sleep(20).then(() => {
		isDone = true;
	});
	const fails = (why: string) => sleep(1).then(() => Promise.reject(new Error(why)));
	await assert.rejects(allOf([works, fails('one'), Promise.reject(new Error('two'))]), /one/);
	assert.ok(isDone);
});
