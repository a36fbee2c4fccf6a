import assert from 'node:assert/strict';
import { it } from 'node:test';
import { editDistance, suggestion } from './suggest.ts';

it('counts letters to change, add and drop', () => {
	assert.equal(editDistance('kitten', 'sitting'), 3);
	assert.equal(editDistance('', 'abc'), 3);
	assert.equal(editDistance('same', 'same'), 0);
});

it('suggests the nearest word, and nothing when all are far', () => {
	assert.equal(suggestion('levle', ['level', 'lever']), ' (did you mean "level"?)');
	assert.equal(suggestion('zzz', ['level']), '');
});
