import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bareMediaType, isIndex, isManifest, isSchema1, requireLayer } from './media-types.ts';

test('tells the documents apart', () => {
	assert.ok(isIndex('application/vnd.oci.image.index.v1+json'));
	assert.ok(isIndex('application/vnd.docker.distribution.manifest.list.v2+json'));
	assert.ok(isManifest('application/vnd.docker.distribution.manifest.v2+json'));
	assert.ok(isSchema1('application/vnd.docker.distribution.manifest.v1+prettyjws'));
	assert.ok(!isSchema1('application/vnd.docker.distribution.manifest.v2+json'));
	assert.equal(bareMediaType('Application/JSON; charset=utf-8'), 'application/json');
	assert.equal(bareMediaType(undefined), '');
});

test('takes tar layers only', () => {
	for (const suffix of ['', '+gzip', '+zstd'])
		requireLayer(`application/vnd.oci.image.layer.v1.tar${suffix}`, 'd');
	requireLayer('application/vnd.docker.image.rootfs.diff.tar.gzip', 'd');
	const refused: [string, RegExp][] = [
		['application/vnd.oci.image.layer.v1.tar+gzip+encrypted', /encrypted/],
		['application/vnd.docker.image.rootfs.foreign.diff.tar.gzip', /foreign/],
		['application/vnd.cncf.helm.chart.content.v1.tar+gzip', /helm/],
	];
	for (const [mediaType, why] of refused) {
		assert.throws(() => requireLayer(mediaType, 'sha256:x'), { condition: 'UNIMPLEMENTED', message: why });
	}
});
