import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { constants, createDeflate, createInflate } from 'node:zlib';
import { plainBlock } from '../../../test/support/spdy-client.ts';
import { DICTIONARY } from './dictionary.ts';
import { SpdyError } from './frames.ts';
import { HeaderReader, HeaderWriter, parseHeaders } from './headers.ts';

/** Compresses blocks one after the other, as a client does. */
function compressor(): (plain: Buffer) => Promise<Buffer> {
	const deflate = createDeflate({ dictionary: DICTIONARY, flush: constants.Z_SYNC_FLUSH });
	return (plain) =>
		new Promise((resolve) => {
			const chunks: Buffer[] = [];
			const collect = (chunk: Buffer) => chunks.push(chunk);
			deflate.on('data', collect);
			deflate.write(plain, () => {
				deflate.off('data', collect);
				resolve(Buffer.concat(chunks));
			});
		});
}
const isSpdyError = (message: RegExp) => (error: unknown) =>
	error instanceof SpdyError && message.test(error.message);

describe('the SPDY dictionary', () => {
	it('is that of the specification: zlib tells its checksum in the head of a stream', async () => {
		const first = await compressor()(Buffer.from('x'));
		assert.equal(first.subarray(0, 6).toString('hex'), '78bbe3c6a7c2');
	});
});

describe('HeaderReader', () => {
	it('reads one block after the other', async () => {
		const compress = compressor();
		using reader = new HeaderReader();
		for (const headers of [{ streamtype: 'data', port: '80' }, {}, { streamtype: 'error', port: '80' }])
			assert.deepEqual(Object.fromEntries(await reader.read(await compress(plainBlock(headers)))), headers);
	});

	it('takes the first of several values, and names in any case', async () => {
		using reader = new HeaderReader();
		const headers = await reader.read(await compressor()(plainBlock({ StreamType: 'stdin\0stdout' })));
		assert.equal(headers.get('streamtype'), 'stdin');
	});

	it('refuses a small block that inflates to a large one', async () => {
		const block = await compressor()(plainBlock({ streamtype: 'x'.repeat(30_000_000) }));
		assert.ok(block.length < 65536);
		using reader = new HeaderReader();
		await assert.rejects(reader.read(block), isSpdyError(/more than 8192 bytes/));
	});

	for (const [what, change] of Object.entries<(block: Buffer) => Buffer>({
		'that is no zlib': () => Buffer.from('none of it'),
		'that is damaged': (block) => Buffer.concat([block.subarray(0, 6), Buffer.alloc(block.length, 0xff)]),
		'that is cut off': (block) => block.subarray(0, block.length - 12),
		'that is empty': () => Buffer.alloc(0),
	}))
		it(`refuses a block ${what}`, async () => {
			using reader = new HeaderReader();
			const block = change(await compressor()(plainBlock({ streamtype: 'stdin', other: 'abcdefghij' })));
			await assert.rejects(reader.read(block), isSpdyError(/header block/));
		});

	it('refuses a stream that has ended', async () => {
		using reader = new HeaderReader();
		const deflate = createDeflate({ dictionary: DICTIONARY });
		deflate.end(plainBlock({ a: 'b' }));
		const whole = Buffer.concat(await deflate.toArray());
		await reader.read(whole);
		await assert.rejects(reader.read(whole), isSpdyError(/header block/));
	});
});

describe('parseHeaders', () => {
	const block = plainBlock({ name: 'value' });
	for (const [what, bytes, message] of [
		['is cut off', block.subarray(0, -1), /cut off/],
		['counts more than it has', Buffer.concat([Buffer.of(0, 0, 0, 9), block.subarray(4)]), /cut off/],
		[
			'has a length beyond its end',
			Buffer.concat([block.subarray(0, 4), Buffer.alloc(4, 0xff), block]),
			/cut off/,
		],
		['has bytes after its end', Buffer.concat([block, Buffer.of(0)]), /1 bytes too many/],
		['has a name without a character', plainBlock({ '': 'x' }), /twice or not/],
		['names one twice', plainBlock({ a: '1', A: '2' }), /"a" twice/],
	] as const)
		it(`refuses one that ${what}`, () => assert.throws(() => parseHeaders(bytes), isSpdyError(message)));
});

describe('HeaderWriter', () => {
	it('writes what zlib reads, one block after the other', async () => {
		const writer = new HeaderWriter();
		const inflate = createInflate({ dictionary: DICTIONARY });
		const plain = [{}, { a: 'b' }, {}];
		for (const headers of plain) inflate.write(writer.write(headers));
		const expected = Buffer.concat(plain.map(plainBlock));
		let read = Buffer.alloc(0);
		for await (const chunk of inflate) {
			read = Buffer.concat([read, chunk as Buffer]);
			if (read.length >= expected.length) break;
		}
		assert.deepEqual(read, expected);
	});
});
