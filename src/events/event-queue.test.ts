import assert from 'node:assert/strict';
import { it } from 'node:test';
import { EventQueue } from './event-queue.ts';

async function drain<T>(queue: EventQueue<T>): Promise<T[]> {
	const all: T[] = [];
	for await (const entry of queue) all.push(entry);
	return all;
}

it('keeps the order, whether the reader waits or comes later', async () => {
	const queue = new EventQueue<number>(10, () => assert.fail('nothing is dropped'));
	queue.push(1);
	const reading = drain(queue);
	queue.push(2);
	await new Promise(setImmediate);
	queue.push(3);
	queue.end();
	assert.deepEqual(await reading, [1, 2, 3]);
});

it('drops the oldest beyond its limit and says how many in all', async () => {
	const totals: number[] = [];
	const queue = new EventQueue<number>(2, (total) => totals.push(total));
	for (const entry of [1, 2, 3, 4]) queue.push(entry);
	queue.end();
	queue.push(5);
	assert.deepEqual(await drain(queue), [3, 4]);
	assert.deepEqual(totals, [1, 2]);
});
