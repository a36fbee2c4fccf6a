/** Readers of events that are slow, and clocks that jump. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestBed } from './harness.ts';

const EVENTS = 20_000;

test('a reader that stops reading misses the oldest events, and nobody else misses any', async () => {
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
	while (seen.at(-1) !== EVENTS - 1) seen.push(Number((await slow.next()).value?.container_id));
	assert.ok(seen.length < EVENTS, 'it missed some');
	assert.deepEqual(
		seen,
		seen.toSorted((a, b) => a - b),
	);
	const gaps = seen.filter((number, index) => index > 0 && number !== (seen[index - 1] ?? 0) + 1);
	assert.equal(gaps.length, 1, 'it missed one run of events, the oldest that waited for it');
	assert.ok(seen.length - seen.indexOf(gaps[0] ?? 0) >= 4096, 'the newest wait for it');
	leave.abort();
});
