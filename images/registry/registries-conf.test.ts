import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRegistriesConf, readRegistriesConf } from './registries-conf.ts';

const parse = (text: string) => parseRegistriesConf(text, '/etc/r.conf');

test('reads registries and mirrors', () => {
	const rules = parse(`
unqualified-search-registries = ["docker.io"]
[[registry]]
prefix = "docker.io"
location = "hub.example/proxy/"
[[registry.mirror]]
location = "127.0.0.1:5000"
insecure = true
[[registry.mirror]]
location = "m.example"
pull-from-mirror = "digest-only"
[[registry]]
location = "old.example"
blocked = true
mirror-by-digest-only = true
[[registry.mirror]]
location = "n.example"
`);
	assert.deepEqual(rules[0], {
		prefix: 'docker.io',
		location: 'hub.example/proxy',
		insecure: false,
		blocked: false,
		mirrors: [
			{ location: '127.0.0.1:5000', insecure: true, pullFromMirror: 'all' },
			{ location: 'm.example', insecure: false, pullFromMirror: 'digest-only' },
		],
	});
	assert.deepEqual(
		[rules[1]?.prefix, rules[1]?.location, rules[1]?.blocked],
		['old.example', undefined, true],
	);
	assert.equal(rules[1]?.mirrors[0]?.pullFromMirror, 'digest-only');
});

test('refuses what it would have to ignore, naming it', () => {
	const refused: [string, RegExp][] = [
		['[[registry]]\nlocation = "a"\ninsecur = true', /unknown key "insecur" in \[\[registry\]\]/],
		['[[registry]]\nlocation = "a"\n[[registry.mirror]]\nlocation = "b"\nx = 1', /unknown key "x"/],
		['[registries.search]\nregistries = []', /version 1/],
		['credential-helpers = ["pass"]', /credential-helpers/],
		['[[registry]]', /needs "prefix" or "location"/],
		['[[registry]]\nprefix = "a"\n[[registry.mirror]]', /needs "location"/],
		['[[registry]]\nlocation = "https://a"', /without a scheme/],
		['[[registry]]\nlocation = "a"\nblocked = "yes"', /true or false/],
		['[[registry]]\nprefix = "a.*.b"', /wildcard/],
		[
			'[[registry]]\nlocation = "a"\n[[registry.mirror]]\nlocation = "b"\npull-from-mirror = "no"',
			/pull-from-mirror/,
		],
		['registry = 5', /\[\[registry\]\]/],
		['[[registry]]\nlocation = ', /r\.conf:2/],
	];
	for (const [text, message] of refused)
		assert.throws(() => parse(text), { condition: 'FAILED_PRECONDITION', message }, text);
});

test('a missing file means no rules', async () => {
	assert.deepEqual(await readRegistriesConf('/nonexistent/registries.conf'), []);
});
