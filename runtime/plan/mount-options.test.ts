import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MS } from './flags.ts';
import { parseMountOptions } from './mount-options.ts';

test('options are sorted by what carries them', () => {
	assert.deepEqual(
		parseMountOptions(['rbind', 'ro', 'nosuid', 'rslave', 'rro', 'defaults', 'mode=755'], 'o'),
		{
			set: MS.RDONLY | MS.NOSUID,
			clear: 0n,
			propagation: MS.SLAVE | MS.REC,
			bind: true,
			recursive: true,
			recursiveReadonly: true,
			idmap: false,
			data: ['mode=755'],
		},
	);
});

test('the later of two opposites wins', () => {
	const { set, clear } = parseMountOptions(['ro', 'noexec', 'rw', 'exec', 'noexec'], 'o');
	assert.deepEqual([set, clear], [MS.NOEXEC, MS.RDONLY]);
});

for (const option of ['remount', 'tmpcopyup', 'a,b', '']) {
	test(`refused: ${JSON.stringify(option)}`, () => {
		assert.throws(() => parseMountOptions(['ro', option], 'mounts[3].options'), {
			condition: 'INVALID_ARGUMENT',
			message: /mounts\[3\]\.options\[1\]/,
		});
	});
}
