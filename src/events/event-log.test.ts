import assert from 'node:assert/strict';
import { it } from 'node:test';
import { EventLog } from './event-log.ts';

async function drain<T>(entries: AsyncIterable<T>): Promise<T[]> {
	const all: T[] = [];
	for await (const entry of entries) all.push(entry);
	return all;
}

const never = (): never => assert.fail('nothing is missed');

it('gives every reader what comes after it began, in order, whether it waits or comes later', async () => {
	const log = new EventLog<number>(10);
	const end = new AbortController();
	log.push(0);
	const first = drain(log.read(end.signal, never));
	log.push(1);
	const second = log.read(end.signal, never);
	log.push(2);
	await new Promise(setImmediate);
	log.push(3);
	end.abort();
	assert.deepEqual(await first, [1, 2, 3]);
	assert.deepEqual(await drain(second), [2, 3]);
	assert.equal(log.readers, 0);
});

it('a slow reader fails when the oldest are gone, while a quick one misses none', async () => {
	const log = new EventLog<number>(3);
	const end = new AbortController();
	const behind = (count: number): Error => new Error(`${count} wait`);
	const slow = log.read(end.signal, behind)[Symbol.asyncIterator]();
	const quick = drain(log.read(end.signal, never));
	log.push(1);
	assert.equal((await slow.next()).value, 1);
	for (const entry of [2, 3, 4]) {
		log.push(entry);
		await new Promise(setImmediate);
	}
	assert.equal((await slow.next()).value, 2, 'it may lag behind by the limit');
	for (const entry of [5, 6, 7]) {
		log.push(entry);
		await new Promise(setImmediate);
	}
	await assert.rejects(slow.next(), /5 wait/);
	end.abort();
	assert.deepEqual(await quick, [1, 2, 3, 4, 5, 6, 7]);
	assert.equal(log.readers, 0);
});

it('counts a reader that leaves by itself', async () => {
	const log = new EventLog<number>(3);
	const reader = log.read(new AbortController().signal, never);
	log.push(1);
	for await (const entry of reader) {
		assert.equal(entry, 1);
		break;
	}
	assert.equal(log.readers, 0);
});
