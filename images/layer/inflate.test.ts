import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { inflate, isInflateError } from './inflate.ts';

const PLAIN = Buffer.from('layer '.repeat(100_000));

async function inflated(data: Buffer, pieceSize = 1000): Promise<Buffer> {
	async function* pieces(): AsyncGenerator<Buffer> {
		for (let at = 0; at < data.length; at += pieceSize) yield data.subarray(at, at + pieceSize);
	}
	const chunks: Buffer[] = [];
	for await (const chunk of inflate(pieces())) chunks.push(chunk);
	return Buffer.concat(chunks);
}

test('gzip, zstd and plain, told by their first bytes', async () => {
	for (const data of [PLAIN, gzipSync(PLAIN), zstdCompressSync(PLAIN)]) {
		assert.ok(PLAIN.equals(await inflated(data)));
		assert.ok(PLAIN.equals(await inflated(data, data.length)));
	}
	assert.equal((await inflated(Buffer.alloc(0))).length, 0);
	assert.equal((await inflated(gzipSync(PLAIN), 1)).length, PLAIN.length);
});

test('several members and skippable frames are one stream', async () => {
	const twice = Buffer.concat([PLAIN, PLAIN]);
	const skippable = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);
	assert.ok(twice.equals(await inflated(Buffer.concat([gzipSync(PLAIN), gzipSync(PLAIN)]))));
	assert.ok(
		twice.equals(
			await inflated(Buffer.concat([skippable, zstdCompressSync(PLAIN), zstdCompressSync(PLAIN), skippable])),
		),
	);
});

test('damage is an error', async () => {
	for (const good of [gzipSync(PLAIN), zstdCompressSync(PLAIN)]) {
		await assert.rejects(inflated(good.subarray(0, good.length - 20)), isInflateError);
		const bad = Buffer.from(good);
		bad.fill(0xff, 20, 40);
		await assert.rejects(inflated(bad), isInflateError);
	}
});

test('an error of the source stays what it is', async () => {
	const broken = new RangeError('broken');
	async function* failing(): AsyncGenerator<Buffer> {
		yield gzipSync(PLAIN).subarray(0, 100);
		throw broken;
	}
	await assert.rejects(async () => {
		for await (const _ of inflate(failing()));
	}, broken);
});
