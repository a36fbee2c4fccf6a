import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
	dataHead,
	goAway,
	MAX_CONTROL_BYTES,
	ping,
	rstStream,
	SpdyDecoder,
	SpdyError,
	type SpdyFrame,
	synReply,
	synStream,
} from './frames.ts';

const framesOf = (...chunks: readonly Uint8Array[]): SpdyFrame[] => {
	const decoder = new SpdyDecoder();
	return chunks.flatMap((chunk) => [...decoder.push(Buffer.from(chunk))]);
};
const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');

describe('SpdyDecoder', () => {
	const block = Buffer.from('block');
	const all = Buffer.concat([
		synStream(1, block, true),
		dataHead(1, 3),
		Buffer.from('abc'),
		dataHead(1, 0, true),
		synReply(3, block),
		rstStream(5, 3),
		ping(7),
		goAway(1),
	]);
	const expected = [
		{ type: 'open', streamId: 1, block, fin: true },
		{ type: 'data', streamId: 1, data: Buffer.from('abc'), fin: false },
		{ type: 'data', streamId: 1, data: Buffer.alloc(0), fin: true },
		{ type: 'reply', streamId: 3, block, fin: false },
		{ type: 'reset', streamId: 5, status: 3 },
		{ type: 'ping', id: 7 },
		{ type: 'goAway' },
	];

	it('reads every frame of one chunk', () => assert.deepEqual(framesOf(all), expected));

	it('reads them byte by byte, data as it comes', () => {
		const bytes = [...all].map((byte) => Buffer.of(byte));
		const withoutData = (frames: readonly unknown[]) =>
			frames.filter((frame) => (frame as SpdyFrame).type !== 'data');
		const frames = framesOf(...bytes);
		assert.deepEqual(withoutData(frames), withoutData(expected));
		const data = frames.filter((frame) => frame.type === 'data');
		assert.equal(Buffer.concat(data.map((frame) => frame.data)).toString(), 'abc');
		assert.deepEqual(
			data.map((frame) => frame.fin),
			[false, false, false, true],
		);
	});

	it('gives the end with the last piece of a data frame only', () => {
		const frames = framesOf(dataHead(1, 4, true), Buffer.from('ab'), Buffer.from('cd'));
		assert.deepEqual(
			frames.map((frame) => frame.type === 'data' && [frame.data.toString(), frame.fin]),
			[
				['ab', false],
				['cd', true],
			],
		);
	});

	it('lets what it need not know pass by: settings, windows', () => {
		const settings = hex('8003 0004 00 00000c 00000001 00000004 00000064');
		const windowUpdate = hex('8003 0009 00 000008 00000001 00010000');
		assert.deepEqual(framesOf(settings, windowUpdate, ping(1)), [
			{ type: 'other' },
			{ type: 'other' },
			{ type: 'ping', id: 1 },
		]);
	});

	for (const [what, bytes, message] of [
		['another version', hex('8002 0001 00 00000a 00000001 00000000 0000'), /SPDY version 2/],
		['an oversized control frame', hex('8003 0001 00 ffffff'), new RegExp(`limit is ${MAX_CONTROL_BYTES}`)],
		['a SYN_STREAM that is too short', hex('8003 0001 00 000004 00000001'), /too short/],
		['a RST_STREAM that is too short', hex('8003 0003 00 000004 00000001'), /too short/],
		['a PING of another length', hex('8003 0006 00 000005 0000000100'), /PING of 5 bytes/],
	] as const)
		it(`refuses ${what}`, () =>
			assert.throws(
				() => framesOf(bytes),
				(error: Error) => error instanceof SpdyError && message.test(error.message),
			));
});
