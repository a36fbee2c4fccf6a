import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Semaphore } from './semaphore.ts';

const never = new AbortController().signal;

test('at most so many at once, in order', async () => {
	const semaphore = new Semaphore(2);
	let running = 0;
	let most = 0;
	const order: number[] = [];
	const one = (i: number) =>
		semaphore.run(never, async () => {
			most = Math.max(most, ++running);
			order.push(i);
			await new Promise(setImmediate);
			running--;
		});
	await Promise.all([0, 1, 2, 3, 4].map(one));
	assert.equal(most, 2);
	assert.deepEqual(order, [0, 1, 2, 3, 4]);
});

test('who is aborted while waiting leaves at once and frees nothing', async () => {
	const semaphore = new Semaphore(1);
	const first = Promise.withResolvers<void>();
	const holding = semaphore.run(never, () => first.promise);
	const leaving = new AbortController();
	const left = semaphore.run(leaving.signal, async () => assert.fail('must not run'));
	const third = semaphore.run(never, async () => 'ran');
	leaving.abort(new Error('left'));
	await assert.rejects(left, /left/);
	first.resolve();
	await holding;
	assert.equal(await third, 'ran');
	await assert.rejects(
		semaphore.run(AbortSignal.abort(new Error('before')), async () => {}),
		/before/,
	);
	assert.equal(await semaphore.run(never, async () => 'free'), 'free');
});

test('a failure gives its place back', async () => {
	const semaphore = new Semaphore(1);
	await assert.rejects(semaphore.run(never, () => Promise.reject(new Error('x'))));
	assert.equal(await semaphore.run(never, async () => 1), 1);
});
