import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatReference, nameOf, parseReference, tagNameOf } from './reference.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;

test('completes short names as people expect', () => {
	const complete: Record<string, string> = {
		busybox: 'docker.io/library/busybox:latest',
		'busybox:1': 'docker.io/library/busybox:1',
		'user/app': 'docker.io/user/app:latest',
		'docker.io/busybox': 'docker.io/library/busybox:latest',
		'index.docker.io/busybox': 'docker.io/library/busybox:latest',
		'localhost/x': 'localhost/x:latest',
		'localhost:5000/x:y': 'localhost:5000/x:y',
		'127.0.0.1:5000/a/b/c': '127.0.0.1:5000/a/b/c:latest',
		'[::1]:5000/x:1': '[::1]:5000/x:1',
		'registry.k8s.io/pause:3.10': 'registry.k8s.io/pause:3.10',
		'Host/x': 'Host/x:latest',
		[`busybox@${DIGEST}`]: `docker.io/library/busybox@${DIGEST}`,
		[`busybox:1@${DIGEST}`]: `docker.io/library/busybox:1@${DIGEST}`,
		'a__b/c--d.e_f': 'docker.io/a__b/c--d.e_f:latest',
	};
	for (const [text, want] of Object.entries(complete))
		assert.equal(formatReference(parseReference(text)), want);
});

test('refuses with the reason', () => {
	const wrong: [string, RegExp][] = [
		['', /empty/],
		['Busybox', /lower-case/],
		['a//b', /empty/],
		['/a', /empty/],
		['a/', /empty/],
		['busybox:', /tag/],
		['busybox:-x', /tag/],
		[`busybox:${'x'.repeat(129)}`, /tag/],
		['busybox@sha256:abc', /digest/],
		[`busybox@md5:${'a'.repeat(32)}`, /digest/],
		['a b', /"a b"/],
		['a\n', /lower-case/],
		['-a.b/x', /no registry host/],
		['a..b/x', /no registry host/],
		['../../etc', /no registry host/],
		[`${'a'.repeat(256)}`, /longer than 255/],
		['x'.repeat(10_000), /too long/],
		['a___b', /lower-case/],
	];
	for (const [text, why] of wrong) {
		assert.throws(
			() => parseReference(text),
			{ condition: 'INVALID_ARGUMENT', message: why },
			JSON.stringify(text),
		);
	}
});

test('gives the names', () => {
	const reference = parseReference(`busybox@${DIGEST}`);
	assert.equal(nameOf(reference), 'docker.io/library/busybox');
	assert.equal(tagNameOf(reference), undefined);
	assert.equal(tagNameOf(parseReference('busybox')), 'docker.io/library/busybox:latest');
});
