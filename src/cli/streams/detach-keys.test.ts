import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_DETACH_KEYS, DetachScanner, parseDetachKeys } from './detach-keys.ts';

const P = '\x10';
const Q = '\x11';

function type(keys: string, ...chunks: string[]): string {
	const scanner = new DetachScanner(parseDetachKeys(keys));
	let all = '';
	for (const chunk of chunks) {
		const { passed, detached } = scanner.push(Buffer.from(chunk, 'latin1'));
		all += passed.toString('latin1');
		if (detached) return `${all}|`;
	}
	return all;
}

test('keys are characters and control keys; others are refused by name', () => {
	assert.deepEqual([...parseDetachKeys(DEFAULT_DETACH_KEYS)], [0x10, 0x11]);
	assert.deepEqual([...parseDetachKeys('a,ctrl-],ctrl-@,CTRL-A')], [0x61, 0x1d, 0, 1]);
	assert.deepEqual([...parseDetachKeys('')], []);
	for (const wrong of ['ctrl-', 'ctrl-1', 'ab', 'a,,b', 'é', 'esc'])
		assert.throws(() => parseDetachKeys(wrong), {
			condition: 'INVALID_ARGUMENT',
			message: /is no key; write keys/,
		});
});

test('the sequence detaches, also across chunks, and nothing of it or after it is passed on', () => {
	assert.equal(type(DEFAULT_DETACH_KEYS, `ab${P}${Q}cd`), 'ab|');
	assert.equal(type(DEFAULT_DETACH_KEYS, `ab${P}`, `${Q}cd`), 'ab|');
	assert.equal(type('x', 'abx'), 'ab|');
});

test('what only begins like it is passed on when it goes on otherwise', () => {
	assert.equal(type(DEFAULT_DETACH_KEYS, `${P}x${Q}`), `${P}x${Q}`);
	assert.equal(type(DEFAULT_DETACH_KEYS, `${P}${P}`, Q), `${P}|`);
	assert.equal(type('a,a,b', 'aaab'), 'a|');
	assert.equal(type('a,b,a,c', 'ababac'), 'ab|');
	assert.equal(type('', `${P}${Q}`), `${P}${Q}`);
});
