import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WireReader, WireWriter } from './wire.ts';

test('what has its length before it is whole wherever the memory of the writer grows', () => {
	for (let padding = 4050; padding < 4110; padding++) {
		const writer = new WireWriter();
		writer.begin();
		writer.blob(new Uint8Array(padding));
		writer.delimited(() => writer.double(1 / 3));
		const reader = new WireReader(writer.bytes());
		reader.blob();
		assert.equal(
			reader.delimited(() => reader.double()),
			1 / 3,
			`behind ${padding} bytes`,
		);
		assert.ok(reader.isDone);
	}
});
