import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sha256Of } from '../digest.ts';
import { findImage } from './find.ts';

const idOf = (start: string) => `sha256:${start.padEnd(64, '0')}`;
const D = sha256Of('d');
const names = {
	byId: new Map([idOf('cafe1'), idOf('cafe2'), idOf('beef')].map((id) => [id, id])),
	byName: new Map([
		['docker.io/library/beef:latest', 'the name'],
		['r.example/x:1', 'tag'],
		[`r.example/x@${D}`, 'digest'],
	]),
};
const find = (reference: string) => findImage(reference, names);

test('ids, whole and begun', () => {
	assert.equal(find(idOf('beef')), idOf('beef'));
	assert.equal(find(idOf('beef').slice(7)), idOf('beef'));
	assert.equal(find('cafe1'), idOf('cafe1'));
	assert.equal(find('sha256:cafe2'), idOf('cafe2'));
	assert.equal(find('be'), undefined, 'two digits say too little');
	assert.throws(() => find('cafe'), { condition: 'INVALID_ARGUMENT', message: /several/ });
	assert.equal(find('dead'), undefined);
});

test('names come before the beginning of an id, a digest before a tag', () => {
	assert.equal(find('beef'), 'the name');
	assert.equal(find('r.example/x:1'), 'tag');
	assert.equal(find(`r.example/x:other@${D}`), 'digest');
	assert.equal(find(`r.example/y@${D}`), undefined);
	assert.throws(() => find(''), { condition: 'INVALID_ARGUMENT' });
});
