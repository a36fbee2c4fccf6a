/** Readers of events that are slow, and clocks that jump. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestBed } from './harness.ts';

const EVENTS = 20_000;

test('a reader that stops reading is told that events were dropped, and nobody else misses any', async () => {
	await using bed = await TestBed.start();
	const leave = new AbortController();
	const open = () => bed.cri.GetContainerEvents({}, { signal: leave.signal })[Symbol.asyncIterator]();
	const [slow, quick] = [open(), open()];
	const [firstOfSlow, firstOfQuick] = [slow.next(), quick.next()];
	// The streams stand when a call made after them on the same connection is answered.
	await bed.cri.Version();
	const publish = (number: number): void =>
		bed.daemon.events.publish({
			type: 'CONTAINER_STOPPED_EVENT',
			sandboxId: 'none',
			containerId: String(number),
			atNs: 0n,
		});
	publish(0);
	assert.equal((await firstOfSlow).value?.container_id, '0');
	assert.equal((await firstOfQuick).value?.container_id, '0');
	for (let number = 1; number < EVENTS; number++) {
		publish(number);
		if (number % 100 === 0)
			for (let read = number - 99; read <= number; read++)
				assert.equal((await quick.next()).value?.container_id, String(read));
	}
	const seen: number[] = [0];
	const rest = { [Symbol.asyncIterator]: () => slow };
	await assert.rejects(
		async () => {
			for await (const event of rest) seen.push(Number(event.container_id));
		},
		{ condition: 'DATA_LOSS', message: /^\d+ events were dropped: .*list what there is/ },
	);
	assert.ok(seen.length < EVENTS);
	assert.deepEqual(
		seen,
		seen.map((_, index) => index),
		'what it got before has no gap',
	);
	const again = open();
	const firstOfAgain = again.next();
	await bed.cri.Version();
	publish(EVENTS);
	assert.equal((await firstOfAgain).value?.container_id, String(EVENTS), 'it can read on');
	leave.abort();
});
