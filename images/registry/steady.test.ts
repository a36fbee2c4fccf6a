import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { steady } from './steady.ts';

/** Reads chunks of these sizes, each of which takes so long to come, and so long to use. */
async function read(sizes: readonly number[], comesMs: number, usedMs = 0): Promise<number> {
	let now = 0;
	const clock = mock.method(performance, 'now', () => now);
	async function* coming() {
		for (const size of sizes) {
			now += comesMs;
			yield Buffer.alloc(size);
		}
	}
	let bytes = 0;
	try {
		for await (const chunk of steady(coming(), 30_000)) {
			bytes += chunk.length;
			now += usedMs;
		}
	} finally {
		clock.mock.restore();
	}
	return bytes;
}

test('a byte now and then is a stall, though it never stops', async () => {
	await assert.rejects(read(new Array(100).fill(1), 10_000), {
		condition: 'UNAVAILABLE',
		message: 'stalled: only 3 bytes in 30.0 s',
		again: true,
	});
});

test('a weak line, and one that waits for a slow disk, go on', async () => {
	assert.equal(await read(new Array(20).fill(16 * 1024), 10_000), 20 * 16 * 1024);
	assert.equal(await read(new Array(20).fill(10), 1, 60_000), 200);
});
