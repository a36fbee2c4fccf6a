/** What a registry answers, what people call images, and what is kept of both. */
import assert from 'node:assert/strict';
import { decodeConfig } from '../../../images/content/config.ts';
import { decodeManifest } from '../../../images/content/manifest.ts';
import { parseDigest } from '../../../images/digest.ts';
import {
	bareMediaType,
	OCI_CONFIG,
	OCI_INDEX,
	OCI_MANIFEST,
	requireLayer,
} from '../../../images/media-types.ts';
import { bestMatch, hostPlatform } from '../../../images/platform.ts';
import { formatReference, parseReference } from '../../../images/reference.ts';
import { RegistryApi } from '../../../images/registry/api.ts';
import { parseChallenges } from '../../../images/registry/challenge.ts';
import { hostCredentials, hostOfServerAddress } from '../../../images/registry/credentials.ts';
import { SourceFailure } from '../../../images/registry/failure.ts';
import type { HttpClient, HttpResponse } from '../../../images/registry/http.ts';
import { parseRegistriesConf } from '../../../images/registry/registries-conf.ts';
import { sourcesFor } from '../../../images/registry/sources.ts';
import { TokenCache } from '../../../images/registry/tokens.ts';
import { decodeImageRecord, encodeImageRecord } from '../../../images/store/image-record.ts';
import { namesWithout } from '../../../images/store/names.ts';
import { ofText, type Target } from '../target.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;
const SHA512 = `sha512:${'b'.repeat(128)}`;

const reference = ofText({
	seeds: [
		'busybox',
		'a/b:1',
		`localhost:5000/x/y:t@${DIGEST}`,
		'[::1]:5000/a__b',
		`q.io/x@${SHA512}`,
		'docker.io/x',
	],
	tokens: ['@', ':', '/', '[', ']', 'sha256:', '--', '__', '.', DIGEST],
	run(text) {
		const parsed = parseReference(text);
		const written = formatReference(parsed);
		assert.deepEqual(parseReference(written), parsed);
		assert.ok(sourcesFor(parsed, []).every(({ origin }) => new URL(origin).origin === origin));
	},
});

const digest = ofText({
	seeds: [DIGEST, SHA512],
	tokens: ['sha256:', 'sha512:', '/', '..'],
	run(text) {
		const parsed = parseDigest(text);
		if (parsed !== undefined) assert.equal(`${parsed.algorithm}:${parsed.hex}`, text);
	},
});

const mediaType = ofText({
	seeds: ['application/vnd.oci.image.layer.v1.tar+gzip', `${OCI_INDEX}; charset=utf-8`],
	run: (text) => requireLayer(bareMediaType(text), DIGEST),
});

const descriptor = { mediaType: OCI_MANIFEST, digest: DIGEST, size: 7, annotations: { a: 'b' } };
const MANIFEST = JSON.stringify({
	schemaVersion: 2,
	config: { ...descriptor, mediaType: OCI_CONFIG },
	layers: [{ ...descriptor, mediaType: 'application/vnd.oci.image.layer.v1.tar' }],
	annotations: { x: 'y' },
});
const INDEX = JSON.stringify({
	mediaType: OCI_INDEX,
	manifests: [
		{ ...descriptor, platform: { os: 'linux', architecture: 'amd64', variant: 'v2' } },
		{ ...descriptor, platform: { os: 'linux', architecture: 'arm64' } },
	],
});
const manifest: Target = {
	seeds: [MANIFEST, INDEX, '{"schemaVersion":1}'],
	tokens: [OCI_INDEX, OCI_MANIFEST, OCI_CONFIG, 'sha256:'],
	run(input) {
		const document = decodeManifest(input, DIGEST, OCI_MANIFEST);
		if (document.kind === 'index') bestMatch(document.manifests, hostPlatform());
		const blobs = document.kind === 'index' ? document.manifests : [document.config, ...document.layers];
		for (const blob of blobs) assert.ok(parseDigest(blob.digest) !== undefined && blob.size >= 0);
	},
};

const CONFIG = {
	created: '2026-01-01T00:00:00Z',
	architecture: 'amd64',
	os: 'linux',
	config: {
		User: 'a:b',
		Env: ['A=b'],
		Entrypoint: ['/x'],
		Cmd: null,
		Volumes: { '/v': {} },
		Labels: { a: 'b' },
	},
	rootfs: { type: 'layers', diff_ids: [DIGEST] },
};
const config: Target = { seeds: [JSON.stringify(CONFIG)], run: (input) => decodeConfig(input, DIGEST) };

const imageRecord = ofText({
	seeds: [
		encodeImageRecord({
			id: DIGEST,
			tags: ['docker.io/library/a:1'],
			digests: [`docker.io/library/a@${DIGEST}`],
			manifestDigest: DIGEST,
			chainIds: [DIGEST],
			documents: [DIGEST],
			annotations: { a: 'b' },
			config: decodeConfig(Buffer.from(JSON.stringify(CONFIG)), DIGEST),
			updatedAtMs: 5,
		}),
	],
	run(text) {
		const record = decodeImageRecord(text, 'record.json');
		assert.deepEqual(decodeImageRecord(encodeImageRecord(record), 'again'), record);
		for (const tag of record.tags) namesWithout(record, tag);
	},
});

const challenge = ofText({
	seeds: [
		'Bearer realm="https://a/t",service="s",scope="x:y:pull"',
		'Negotiate, Basic realm="a \\"b\\"", charset=UTF-8',
	],
	tokens: ['Bearer ', 'Basic', '="', '\\"', ',', ' =', 'realm'],
	run(text) {
		assert.ok(parseChallenges(text).length <= text.length);
	},
});

const SOURCE = {
	origin: 'https://r.example',
	repository: 'a/b',
	isMirror: false,
	credentials: { kind: 'basic', username: 'u', password: 'p' },
	credentialsFrom: 'the credentials of the test',
} as const;
const isSourceFailure = (error: unknown) => error instanceof SourceFailure;

/** A client to which every request is answered with the same. */
function answering(status: number, headers: HttpResponse['headers'], body: Buffer): HttpClient {
	const chunks = (async function* () {
		yield body;
	})();
	const nobody = { on() {}, dump: async () => {} };
	const send = async (url: URL) => ({ url, status, headers, body: nobody, chunks });
	return { send } as unknown as HttpClient;
}
const token: Target = {
	seeds: ['{"token":"abc","expires_in":300}', '{"access_token":"x","expires_in":1e3}'],
	refuses: isSourceFailure,
	async run(input) {
		const cache = new TokenCache(answering(200, {}, input));
		const asked = { scheme: 'bearer', parameters: { realm: 'https://t.example/x' } };
		const header = await cache.answer(SOURCE, asked, new AbortController().signal);
		assert.match(header, /^Bearer [\x21-\x7e]+$/);
	},
};

/** Lines: status, WWW-Authenticate, Retry-After, then the body. */
const answer = ofText({
	seeds: [
		'401\nBearer realm="https://a/t"\n\n{"token":"x"}',
		'429\n\n5\n{"errors":[{"code":"TOOMANY","message":"slow down"}]}',
		'503\nBasic\nTue, 01 Jan 2036 00:00:00 GMT\n{"errors":[]}',
		'200\n\n\nok',
		'404\n\n\n{"errors":[{"code":{"toString":1}}]}',
	],
	tokens: ['{"errors":[', '"message":', 'Bearer realm=', 'http://', 'https://'],
	refuses: isSourceFailure,
	async run(text) {
		const [status = '', challenges = '', retryAfter = '', ...body] = text.split('\n');
		const headers = { 'www-authenticate': challenges, 'retry-after': retryAfter };
		const http = answering(Number.parseInt(status, 10) || 500, headers, Buffer.from(body.join('\n')));
		await new RegistryApi(http, new TokenCache(http)).get(
			SOURCE,
			'manifests/x',
			{},
			new AbortController().signal,
		);
	},
});

const registriesConf = ofText({
	seeds: [
		'[[registry]]\nprefix = "docker.io"\nlocation = "m.example/x"\ninsecure = true\n[[registry.mirror]]\nlocation = "a:5000"\npull-from-mirror = "digest-only"\n',
		'short-name-mode = "enforcing"\n[[registry]]\nprefix = "*.example.com"\nblocked = true\n',
	],
	tokens: [
		'[[registry]]',
		'[[registry.mirror]]',
		'prefix = ',
		'location = "',
		'"*.',
		'blocked = true',
		'{',
		'}',
	],
	run(text) {
		const rules = parseRegistriesConf(text, 'registries.conf');
		for (const name of ['busybox', 'a.example.com/x:1', `m.example/x@${DIGEST}`])
			for (const source of sourcesFor(parseReference(name), rules))
				assert.match(source.origin, /^https?:\/\/[^/\s]+$/);
	},
});

const credentials = ofText({
	seeds: [
		Buffer.from('user:password\0').toString('base64'),
		'https://index.docker.io/v1/',
		'localhost:5000/x',
	],
	run(text) {
		hostOfServerAddress(text);
		hostCredentials({ auth: text });
	},
});

export const REGISTRY = {
	reference,
	digest,
	'media-type': mediaType,
	manifest,
	'image-config': config,
	'image-record': imageRecord,
	challenge,
	'token-answer': token,
	'registry-answer': answer,
	'registries-conf': registriesConf,
	credentials,
};
