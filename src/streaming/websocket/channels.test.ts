import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ChannelError, decodeMessage, encodeMessage } from './channels.ts';

describe('channel messages', () => {
	for (const codec of ['binary', 'base64'] as const)
		it(`are read as they are written: ${codec}`, () => {
			for (const data of [Buffer.alloc(0), Buffer.from('a'), Buffer.from([0, 255, 128, 10])])
				assert.deepEqual(decodeMessage(encodeMessage(3, data, codec), codec), { channel: 3, data });
		});

	it('without a byte say nothing', () => {
		assert.equal(decodeMessage('', 'base64'), undefined);
		assert.equal(decodeMessage(Buffer.alloc(0), 'binary'), undefined);
	});

	it('of a binary protocol may come as text', () =>
		assert.deepEqual(decodeMessage('\x04{}', 'binary'), { channel: 4, data: Buffer.from('{}') }));

	it('are refused when they have no channel or are no base64', () => {
		for (const message of ['xYQ==', ':YQ==', '0YQ=', '0Y===', '0Y=Q=', '0\u00ff\u00ff\u00ff\u00ff'])
			assert.throws(() => decodeMessage(message, 'base64'), ChannelError, message);
	});
});
