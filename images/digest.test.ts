import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chainIdsOf, matchesDigest, parseDigest, requireDigest, sha256Of } from './digest.ts';

const EMPTY = 'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

test('reads sha256 and sha512, nothing else', () => {
	assert.equal(parseDigest(EMPTY)?.algorithm, 'sha256');
	assert.equal(parseDigest(`sha512:${'a'.repeat(128)}`)?.hex.length, 128);
	for (const wrong of [
		'',
		'sha256',
		'sha256:',
		`sha256:${'a'.repeat(63)}`,
		`sha256:${'A'.repeat(64)}`,
		`md5:${'a'.repeat(32)}`,
		`${EMPTY}:x`,
		`constructor:${'a'.repeat(64)}`,
	]) {
		assert.equal(parseDigest(wrong), undefined, wrong);
	}
	assert.throws(() => requireDigest('sha256:xyz', 'the digest of layer 2'), /layer 2.*sha256:xyz/);
});

test('hashes and compares', () => {
	assert.equal(sha256Of(''), EMPTY);
	assert.ok(matchesDigest(new Uint8Array(), EMPTY));
	assert.ok(!matchesDigest(new Uint8Array(1), EMPTY));
});

test('a chain id covers everything below', () => {
	const [a, b] = [sha256Of('a'), sha256Of('b')];
	assert.deepEqual(chainIdsOf([]), []);
	assert.deepEqual(chainIdsOf([a]), [a]);
	assert.deepEqual(chainIdsOf([a, b]), [a, sha256Of(`${a} ${b}`)]);
	assert.notEqual(chainIdsOf([b, a])[1], chainIdsOf([a, b])[1]);
});
