import assert from 'node:assert/strict';
import { test } from 'node:test';
import { whiteoutOf } from './whiteout.ts';

test('tells whiteouts, opaque folders and AUFS book-keeping from entries', () => {
	assert.equal(whiteoutOf('a/b'), undefined);
	assert.equal(whiteoutOf('a.wh.b/.whx'), undefined);
	assert.deepEqual(whiteoutOf('a/.wh.b'), { kind: 'hide', name: 'a/b' });
	assert.deepEqual(whiteoutOf('.wh.b/'), { kind: 'hide', name: 'b' });
	assert.deepEqual(whiteoutOf('a/.wh..wh..opq'), { kind: 'opaque', folder: 'a/' });
	assert.deepEqual(whiteoutOf('.wh..wh..opq'), { kind: 'opaque', folder: '' });
	for (const name of ['.wh..wh.aufs', 'a/.wh..wh.plnk/', '.wh..wh.plnk/2.3'])
		assert.deepEqual(whiteoutOf(name), { kind: 'metadata' }, name);
	for (const name of ['.wh.', 'a/.wh..', '.wh...'])
		assert.throws(() => whiteoutOf(name), { condition: 'INVALID_ARGUMENT' }, name);
});
