import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sha256Of } from '../digest.ts';
import { namesWith, namesWithout } from './names.ts';

const D = sha256Of('d');
const ONE = { tags: ['docker.io/library/a:1'], digests: [`docker.io/library/a@${D}`] };
const TWO_TAGS = { ...ONE, tags: ['docker.io/library/a:1', 'docker.io/library/a:2'] };
const TWO_REPOSITORIES = {
	tags: ['docker.io/library/a:1', 'r.example/b:1'],
	digests: [`docker.io/library/a@${D}`, `r.example/b@${D}`],
};

test('one name of several goes alone', () => {
	assert.deepEqual(namesWithout(TWO_TAGS, 'a:1'), { tags: ['docker.io/library/a:2'], digests: ONE.digests });
	assert.deepEqual(namesWithout(TWO_REPOSITORIES, 'a:1'), {
		tags: ['r.example/b:1'],
		digests: [`r.example/b@${D}`],
	});
	assert.deepEqual(namesWithout(TWO_REPOSITORIES, `r.example/b@${D}`), ONE);
});

test('the last name, and an id, mean the image', () => {
	for (const reference of ['a:1', `a@${D}`, D, D.slice(7), 'abcdef'])
		assert.equal(namesWithout(ONE, reference), undefined, reference);
	assert.equal(namesWithout(TWO_TAGS, D), undefined);
	assert.equal(namesWithout(TWO_TAGS, `a@${D}`), undefined);
});

test('names are added once', () => {
	assert.deepEqual(namesWith(ONE, 'docker.io/library/a:1', ONE.digests), ONE);
	assert.deepEqual(namesWith(ONE, 'docker.io/library/a:2', []), TWO_TAGS);
	assert.deepEqual(namesWith(ONE, undefined, []), ONE);
});
