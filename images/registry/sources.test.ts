import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseReference } from '../reference.ts';
import { parseRegistriesConf } from './registries-conf.ts';
import { isLoopback, type SourceOptions, sourcesFor } from './sources.ts';

const DIGEST = `@sha256:${'a'.repeat(64)}`;
const from = (reference: string, conf = '', options: SourceOptions = {}) =>
	sourcesFor(parseReference(reference), parseRegistriesConf(conf, 'r.conf'), options);
const urls = (...of: Parameters<typeof from>) =>
	from(...of).map((source) => `${source.origin}/${source.repository}`);

test('the registry itself, with TLS unless it is this machine or said to be insecure', () => {
	assert.deepEqual(urls('busybox'), ['https://registry-1.docker.io/library/busybox']);
	assert.deepEqual(urls('127.0.0.1:5000/x'), ['http://127.0.0.1:5000/x']);
	assert.deepEqual(urls('r.example/x'), ['https://r.example/x']);
	assert.deepEqual(urls('r.example/x', '', { insecure: ['r.example'] }), ['http://r.example/x']);
	assert.deepEqual(urls('r.example/x', '[[registry]]\nlocation = "r.example"\ninsecure = true'), [
		'http://r.example/x',
	]);
});

test('an origin has the form that URLs have, so that a challenge of it is known as its own', () => {
	assert.deepEqual(urls('R.Example:443/x'), ['https://r.example/x']);
	for (const nowhere of ['[:::]/x', 'r.example:99999/x', '1.2.3.999/x'])
		assert.throws(() => urls(nowhere), { condition: 'INVALID_ARGUMENT', message: /no address/ });
});

test('mirrors come first and get the rest of the name', () => {
	const conf =
		'[[registry]]\nprefix = "docker.io/library"\n[[registry.mirror]]\nlocation = "m.example/hub"\n[[registry]]\nprefix = "docker.io"\nlocation = "all.example"';
	assert.deepEqual(urls('busybox', conf), [
		'https://m.example/hub/busybox',
		'https://registry-1.docker.io/library/busybox',
	]);
	assert.deepEqual(urls('user/x', conf), ['https://all.example/user/x']);
	assert.deepEqual(urls('docker.io/library2/x', conf), ['https://all.example/library2/x']);
	assert.deepEqual(urls('r.example/x', conf), ['https://r.example/x']);
});

test('wildcards stand for the hosts below', () => {
	const conf = '[[registry]]\nprefix = "*.example.com"\nlocation = "m.example/all"';
	assert.deepEqual(urls('a.b.example.com/x/y', conf), ['https://m.example/all/x/y']);
	assert.deepEqual(urls('example.com/x', conf), ['https://example.com/x']);
	assert.deepEqual(urls('badexample.com/x', conf), ['https://badexample.com/x']);
});

test('pull-from-mirror tells tags from digests', () => {
	const conf = (when: string) =>
		`[[registry]]\nlocation = "r.example"\n[[registry.mirror]]\nlocation = "m.example"\npull-from-mirror = "${when}"`;
	assert.equal(urls('r.example/x', conf('digest-only')).length, 1);
	assert.equal(urls(`r.example/x${DIGEST}`, conf('digest-only')).length, 2);
	assert.equal(urls('r.example/x', conf('tag-only')).length, 2);
	assert.equal(urls(`r.example/x${DIGEST}`, conf('tag-only')).length, 1);
});

test('blocked is refused', () => {
	assert.throws(() => from('r.example/x', '[[registry]]\nlocation = "r.example"\nblocked = true'), {
		condition: 'FAILED_PRECONDITION',
		message: /blocked/,
	});
});

test('credentials go only where they belong', () => {
	const conf = '[[registry]]\nlocation = "docker.io"\n[[registry.mirror]]\nlocation = "m.example"';
	const sent = (serverAddress?: string) =>
		from('busybox', conf, {
			credentials: {
				username: 'u',
				password: 'p',
				...(serverAddress === undefined ? {} : { serverAddress }),
			},
		}).map((source) => source.credentials !== undefined);
	assert.deepEqual(sent(), [false, true]);
	assert.deepEqual(sent('https://index.docker.io/v1/'), [false, true]);
	assert.deepEqual(sent('m.example'), [true, false]);
	assert.deepEqual(sent('other.example'), [false, false]);
	assert.match(
		from('busybox', '', { credentials: { username: 'u', serverAddress: 'x.example' } })[0]?.credentialsFrom ??
			'',
		/for x\.example and were not sent/,
	);
	assert.match(from('busybox')[0]?.credentialsFrom ?? '', /no credentials/);
});

test('credentials in every form', () => {
	const decoded = (credentials: object) => from('r.example/x', '', { credentials })[0]?.credentials;
	const auth = Buffer.from('u:p:q').toString('base64');
	assert.deepEqual(decoded({ auth }), { kind: 'basic', username: 'u', password: 'p:q' });
	assert.deepEqual(decoded({ identityToken: 't' }), { kind: 'identity', token: 't' });
	assert.deepEqual(decoded({ registryToken: 't' }), { kind: 'bearer', token: 't' });
	assert.equal(decoded({}), undefined);
	assert.throws(() => decoded({ auth: '§' }), { condition: 'INVALID_ARGUMENT' });
});

test('knows loopback', () => {
	for (const host of [
		'localhost',
		'localhost:5000',
		'127.0.0.1:1',
		'127.9.9.9',
		'[::1]:5000',
		'x.localhost:80',
	])
		assert.ok(isLoopback(host), host);
	for (const host of ['128.0.0.1', 'localhost.example', '127.0.0.1.example', '[::2]:1'])
		assert.ok(!isLoopback(host), host);
});
