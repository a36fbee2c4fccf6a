import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
	DOCKER_CONFIG,
	DOCKER_INDEX,
	DOCKER_MANIFEST,
	OCI_CONFIG,
	OCI_INDEX,
	OCI_MANIFEST,
} from '../media-types.ts';
import { decodeManifest } from './manifest.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;
const blob = (mediaType: string) => ({ mediaType, digest: DIGEST, size: 3 });
const decode = (value: unknown, contentType = '') =>
	decodeManifest(Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)), DIGEST, contentType);

test('reads manifests of both families', () => {
	for (const [mediaType, config] of [
		[OCI_MANIFEST, OCI_CONFIG],
		[DOCKER_MANIFEST, DOCKER_CONFIG],
	] as const) {
		const document = decode({
			schemaVersion: 2,
			mediaType,
			config: blob(config),
			layers: [blob('x')],
			annotations: { a: 'b' },
		});
		assert.ok(document.kind === 'manifest');
		assert.equal(document.layers[0]?.size, 3);
		assert.deepEqual(document.annotations, { a: 'b' });
	}
});

test('reads indexes, with and without a media type of their own', () => {
	const manifests = [
		{ ...blob(OCI_MANIFEST), platform: { os: 'linux', architecture: 'arm', variant: 'v7' } },
	];
	for (const document of [
		decode({ mediaType: OCI_INDEX, manifests }),
		decode({ manifests }, `${DOCKER_INDEX}; charset=x`),
		decode({ manifests }, 'text/plain'),
	]) {
		assert.ok(document.kind === 'index');
		assert.deepEqual(document.manifests[0]?.platform, { os: 'linux', architecture: 'arm', variant: 'v7' });
	}
});

test('refuses what is no image, by name', () => {
	const refused: [unknown, string, RegExp][] = [
		[{ schemaVersion: 1, fsLayers: [] }, 'UNIMPLEMENTED', /schema 1/],
		[
			{ mediaType: OCI_MANIFEST, config: blob('application/vnd.cncf.helm.config.v1+json'), layers: [] },
			'UNIMPLEMENTED',
			/artifact.*helm/,
		],
		[{ mediaType: 'application/x' }, 'UNIMPLEMENTED', /application\/x/],
		[
			{ mediaType: OCI_MANIFEST, config: blob(OCI_CONFIG), layers: Array(501).fill(blob('x')) },
			'UNIMPLEMENTED',
			/501 layers/,
		],
		[{ mediaType: OCI_MANIFEST, layers: [] }, 'DATA_LOSS', /config/],
		[
			{ mediaType: OCI_MANIFEST, config: { ...blob(OCI_CONFIG), digest: '../../x' } },
			'DATA_LOSS',
			/no digest/,
		],
		[{ mediaType: OCI_MANIFEST, config: { ...blob(OCI_CONFIG), size: -1 } }, 'DATA_LOSS', /whole number/],
		[{ mediaType: OCI_INDEX, manifests: 'x' }, 'DATA_LOSS', /list/],
		['[1]', 'DATA_LOSS', /no JSON object/],
		['{', 'DATA_LOSS', /no JSON/],
	];
	for (const [value, condition, message] of refused)
		assert.throws(() => decode(value), { condition, message });
});
