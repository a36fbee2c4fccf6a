import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { terminalSizes } from './resize.ts';

async function sizesOf(...chunks: readonly string[]): Promise<string[]> {
	async function* input() {
		for (const chunk of chunks) yield Buffer.from(chunk);
	}
	const sizes: string[] = [];
	for await (const { columns, rows } of terminalSizes(input())) sizes.push(`${columns}x${rows}`);
	return sizes;
}

describe('terminalSizes', () => {
	it('reads objects one after the other, wherever they are cut', async () => {
		assert.deepEqual(
			await sizesOf('{"Width":80,"Height":25}\n{"Wid', 'th":132,', '"Height":43}{"Width":0,"Height":0}'),
			['80x25', '132x43', '0x0'],
		);
	});

	for (const bad of [
		'{}',
		'{"Width":"80","Height":25}',
		'{"Width":65536,"Height":25}',
		'{"Width":-1,"Height":25}',
		'{"Width":1.5,"Height":25}',
		'nonsense}',
		' '.repeat(1000),
		`{"x":"${'y'.repeat(300)}"}`,
	])
		it(`drops what follows ${bad.slice(0, 30).trim() || 'too many spaces'}`, async () =>
			assert.deepEqual(await sizesOf('{"Width":1,"Height":2}', bad, '{"Width":3,"Height":4}'), ['1x2']));
});
