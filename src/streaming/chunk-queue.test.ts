import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ChunkQueue, connectionRoom } from './chunk-queue.ts';

async function readAll(queue: ChunkQueue): Promise<Buffer[]> {
	queue.end();
	return await Array.fromAsync(queue);
}

describe('ChunkQueue', () => {
	it('keeps little more than the bytes that came, however small their pieces', async () => {
		const queue = new ChunkQueue(connectionRoom());
		for (let count = 0; count < 40_000; count++) queue.push(Buffer.alloc(64 * 1024).subarray(7, 8));
		const chunks = await readAll(queue);
		const memories = new Set(chunks.map(({ buffer }) => buffer));
		const keptBytes = [...memories].reduce((sum, { byteLength }) => sum + byteLength, 0);
		assert.equal(Buffer.concat(chunks).length, 40_000);
		assert.ok(keptBytes <= 80_000, `${keptBytes} bytes are kept`);
		assert.ok(chunks.length < 20, `${chunks.length} chunks are kept`);
	});

	it('keeps the order of small and big pieces', async () => {
		const queue = new ChunkQueue(connectionRoom());
		const pieces = [3, 70_000, 1, 1, 300, 20_000, 5].map((size, index) => Buffer.alloc(size, index));
		for (const piece of pieces) queue.push(piece);
		assert.deepEqual(Buffer.concat(await readAll(queue)), Buffer.concat(pieces));
	});

	it('makes who pushes wait when the streams of its connection keep too much together', async () => {
		const connection = connectionRoom();
		const queues = Array.from({ length: 40 }, () => new ChunkQueue(connection));
		const waits = queues.map((queue) => queue.push(Buffer.alloc(128 * 1024)));
		assert.deepEqual(
			waits.map((wait) => wait !== undefined),
			queues.map((_, index) => index >= 32),
		);
		for (const queue of queues.slice(0, 8)) queue.fail(new Error('gone'));
		await Promise.all(waits);
		assert.equal(new ChunkQueue(connection).push(Buffer.alloc(1)) === undefined, false);
	});
});
