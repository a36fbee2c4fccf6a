import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import { FaultyProxy, type Judge } from '../support/faulty-proxy.ts';
import { freePort, type PushedImage, type Registry, sha256, startRegistry } from '../support/registry.ts';
import { makeTar } from '../support/tar.ts';
import { openTestStore, type TestStore } from './store.ts';

let registry: Registry;
let proxy: FaultyProxy;
let pushed: PushedImage;
let opened: TestStore;
before(async () => {
	registry = await startRegistry();
	proxy = await FaultyProxy.start(registry.host);
	pushed = await registry.pushImage({
		name: 'app',
		layers: [
			{ entries: [{ name: 'noise', data: randomBytes(3_000_000) }] },
			{ entries: [{ name: 'small' }] },
		],
	});
	opened = await openTestStore({ stallTimeoutMs: 700 });
});
after(async () => {
	await opened[Symbol.asyncDispose]();
	await proxy[Symbol.asyncDispose]();
	await registry.stop();
});
afterEach(async () => {
	for (const image of opened.store.list()) await opened.store.remove(image.id);
	await opened.store.garbage({ fix: true });
	writeFileSync(join(opened.root, '../registries.conf'), '');
	assert.deepEqual(readdirSync(join(opened.root, 'snapshots')), [], 'nothing is left behind');
});

const big = () => `/v2/app/blobs/${pushed.layers[0]?.digest}`;
const isBig = (path: string) => path === big();
const pullThrough = (judge: Judge, reference = pushed.reference) => {
	proxy.reset(judge);
	return opened.store.pull(proxy.through(reference));
};
const rangesOf = (path: string) =>
	proxy.seen.filter((seen) => seen.path === path).map((seen) => seen.headers.range);

test('a connection that breaks is resumed where it was', async () => {
	const breaks: Record<number, number> = { 0: 1_000_000, 1: 500_000 };
	const image = await pullThrough(({ path, before }) =>
		isBig(path) && before < 2 ? { after: breaks[before] ?? 0, finish: 'cut' } : undefined,
	);
	assert.equal(image.id, pushed.imageId);
	const [first, second, third] = rangesOf(big());
	assert.equal(first, undefined);
	assert.match(second ?? '', /^bytes=[1-9]\d*-$/);
	assert.match(third ?? '', /^bytes=[1-9]\d*-$/);
});

test('a registry without ranges sends everything again', async () => {
	const image = await pullThrough(({ path, before }) =>
		isBig(path) ? (before === 0 ? { after: 1_500_000, finish: 'cut' } : { ignoreRange: true }) : undefined,
	);
	assert.equal(image.id, pushed.imageId);
});

test('a stall is noticed at every stage', async () => {
	const image = await pullThrough(({ path, before }) => {
		if (before > 0) return undefined;
		return isBig(path) ? { after: 100_000, finish: 'stall' } : { stallFirst: true };
	});
	assert.equal(image.id, pushed.imageId);
	await opened.store.remove(image.id);
	await assert.rejects(
		pullThrough(() => ({ stallFirst: true })),
		{ condition: 'UNAVAILABLE', message: /^RegistryUnavailable: .*app:latest.*stalled/ },
	);
});

test('429 and 5xx pass, after the pause that is asked for', async () => {
	const image = await pullThrough(({ before }) =>
		before === 0
			? { status: 503 }
			: before === 1
				? { status: 429, headers: { 'retry-after': '0' } }
				: undefined,
	);
	assert.equal(image.id, pushed.imageId);
	await opened.store.remove(image.id);
	await assert.rejects(
		pullThrough(() => ({ status: 429 })),
		{ condition: 'UNAVAILABLE', message: /^RegistryUnavailable: .*429/ },
	);
	assert.equal(proxy.seen.length, 4);
});

test('wrong bytes are refused', async () => {
	const cases: [string, Judge, RegExp][] = [
		[
			'layer',
			({ path }) => (isBig(path) ? { finish: 'corrupt', after: 2_000_000 } : undefined),
			/layer sha256.*what came has the digest/,
		],
		[
			'gzip header',
			({ path }) => (isBig(path) ? { finish: 'corrupt', after: 1 } : undefined),
			/what came has the digest/,
		],
		[
			'longer than told',
			({ path }) => (isBig(path) ? { finish: 'grow' } : undefined),
			/longer than the \d+ bytes/,
		],
		[
			'manifest',
			({ path }) => (path.includes('/manifests/') ? { finish: 'corrupt', after: 30 } : undefined),
			/is sha256:.*, not sha256/,
		],
		[
			'configuration',
			({ path }) => (path.endsWith(pushed.imageId) ? { finish: 'corrupt', after: 5 } : undefined),
			/is sha256:.*, not sha256/,
		],
	];
	for (const [what, judge, message] of cases) {
		await assert.rejects(pullThrough(judge), { condition: 'DATA_LOSS', message }, what);
		assert.deepEqual(opened.store.list(), [], what);
		await opened.store.garbage({ fix: true });
	}
});

test('manifests beyond 4 MiB are not read', async () => {
	const body = Buffer.alloc(5 * 1024 * 1024, ' ');
	await assert.rejects(
		pullThrough(({ path }) => (path.includes('/manifests/') ? { status: 200, body } : undefined)),
		{ condition: 'DATA_LOSS', message: /longer than 4194304 bytes/ },
	);
});

test('layers that lie about themselves', async () => {
	const tar = makeTar([{ name: 'x', data: 'y' }]);
	const cases: [string, Parameters<Registry['pushImage']>[0]['layers'][number], string, RegExp][] = [
		[
			'diff id',
			{ tar, claimed: { diffId: sha256('other') } },
			'DATA_LOSS',
			/its diff id is sha256:.* but the image configuration tells/,
		],
		['too long', { tar, claimed: { size: 10 } }, 'DATA_LOSS', /longer than the 10 bytes/],
		['no tar', { tar: Buffer.alloc(4096, 'x') }, 'DATA_LOSS', /no tar that can be read/],
		[
			'cut tar',
			{ tar: makeTar([{ name: 'x', data: 'y'.repeat(5000) }]).subarray(0, 2000) },
			'DATA_LOSS',
			/Unexpected end/,
		],
		[
			'climbs',
			{ entries: [{ name: '../../evil', data: 'x' }] },
			'INVALID_ARGUMENT',
			/Cannot unpack layer sha256:.* of .*lies.*"\.\.\/\.\.\/evil": it climbs out/,
		],
		[
			'encrypted',
			{ tar, claimed: { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip+encrypted' } },
			'UNIMPLEMENTED',
			/encrypted/,
		],
	];
	for (const [what, layer, condition, message] of cases) {
		const { reference } = await registry.pushImage({ name: 'lies', layers: [layer] });
		await assert.rejects(opened.store.pull(reference), { condition, message }, what);
	}
});

test('bombs end at the limit', async () => {
	await using small = await openTestStore({ maxLayerBytes: 1_000_000, maxLayerEntries: 100 });
	const wide = await registry.pushImage({
		name: 'bomb',
		layers: [{ entries: Array.from({ length: 200 }, (_, i) => ({ name: `f${i}` })) }],
	});
	await assert.rejects(small.store.pull(wide.reference), {
		condition: 'RESOURCE_EXHAUSTED',
		message: /100 entries/,
	});
	const deep = await registry.pushImage({
		name: 'bomb',
		layers: [{ entries: [{ name: 'zeros', data: Buffer.alloc(20_000_000) }] }],
	});
	await assert.rejects(small.store.pull(deep.reference), {
		condition: 'RESOURCE_EXHAUSTED',
		message: /expands to more than 1000000 bytes/,
	});
	assert.deepEqual(readdirSync(join(small.root, 'snapshots')), []);
});

test('missing and unreachable say which', async () => {
	await assert.rejects(opened.store.pull(`${registry.host}/app:none`), {
		condition: 'NOT_FOUND',
		message: /app:none.*not found there/,
	});
	await assert.rejects(opened.store.pull(`${registry.host}/none`), { condition: 'NOT_FOUND' });
	await assert.rejects(opened.store.pull(`127.0.0.1:${await freePort()}/x`), {
		condition: 'UNAVAILABLE',
		message: /^RegistryUnavailable: Cannot pull 127.*connection refused/,
	});
	await assert.rejects(opened.store.pull('host.invalid/x'), {
		condition: 'UNAVAILABLE',
		message: /host not found/,
	});
	await assert.rejects(
		opened.store.pull(`localhost:${registry.host.split(':')[1]}/app@sha256:${'0'.repeat(64)}`),
		{ condition: 'NOT_FOUND' },
	);
});

test('mirrors come first, and their failures are told', async () => {
	const dead = `127.0.0.1:${await freePort()}`;
	const conf = (extra = '') =>
		writeFileSync(
			join(opened.root, '../registries.conf'),
			`[[registry]]\nprefix = "hub.invalid"\n${extra}[[registry.mirror]]\nlocation = "${dead}"\n[[registry.mirror]]\nlocation = "${proxy.host}"\n`,
		);
	conf();
	proxy.reset();
	const image = await opened.store.pull('hub.invalid/app');
	assert.deepEqual(image.repoTags, ['hub.invalid/app:latest']);
	await assert.rejects(opened.store.pull('hub.invalid/gone'), {
		condition: 'UNAVAILABLE',
		message:
			/mirror http:\/\/127.*connection refused; mirror http:\/\/127.*not found there.*; https:\/\/hub\.invalid\/gone: host not found/,
	});
	conf('location = "hub.invalid"\nblocked = true\n');
	await assert.rejects(opened.store.pull('hub.invalid/app'), {
		condition: 'FAILED_PRECONDITION',
		message: /blocked/,
	});
	conf('unknown = 1\n');
	await assert.rejects(opened.store.pull('hub.invalid/app'), {
		condition: 'FAILED_PRECONDITION',
		message: /registries\.conf.*"unknown"/,
	});
});

test('a mirror with wrong bytes is passed over', async () => {
	writeFileSync(
		join(opened.root, '../registries.conf'),
		`[[registry]]\nlocation = "${registry.host}"\n[[registry.mirror]]\nlocation = "${proxy.host}"\n`,
	);
	proxy.reset(({ path }) => (path.includes('/blobs/') ? { finish: 'corrupt', after: 10 } : undefined));
	assert.equal((await opened.store.pull(pushed.reference)).id, pushed.imageId);
	assert.ok(proxy.seen.some(({ path }) => isBig(path)));
});

test('redirects are followed without the credentials', async () => {
	await using elsewhere = await FaultyProxy.start(registry.host);
	const secret = { username: 'user', password: 'secret' };
	const expected = `Basic ${Buffer.from('user:secret').toString('base64')}`;
	proxy.reset(({ path, headers }) => {
		if (headers.authorization !== expected)
			return { status: 401, headers: { 'www-authenticate': 'Basic realm="x"' } };
		return path.includes('/blobs/')
			? { status: 307, headers: { location: `http://${elsewhere.host}${path}` } }
			: undefined;
	});
	const image = await opened.store.pull(proxy.through(pushed.reference), { credentials: secret });
	assert.equal(image.id, pushed.imageId);
	assert.ok(elsewhere.seen.length >= 2);
	assert.ok(elsewhere.seen.every(({ headers }) => headers.authorization === undefined));
	await opened.store.remove(image.id);

	elsewhere.reset(() => ({ status: 401, headers: { 'www-authenticate': 'Basic realm="give"' } }));
	await assert.rejects(opened.store.pull(proxy.through(pushed.reference), { credentials: secret }), {
		condition: 'PERMISSION_DENIED',
	});
	assert.ok(elsewhere.seen.every(({ headers }) => headers.authorization === undefined));

	proxy.reset(({ path }) =>
		path.includes('/blobs/') ? { status: 302, headers: { location: path } } : undefined,
	);
	await assert.rejects(opened.store.pull(proxy.through(pushed.reference)), {
		condition: 'UNAVAILABLE',
		message: /more than 5 redirects/,
	});
	proxy.reset(({ path }) =>
		path.includes('/blobs/') ? { status: 302, headers: { location: 'file:///etc/passwd' } } : undefined,
	);
	await assert.rejects(opened.store.pull(proxy.through(pushed.reference)), { message: /no HTTP address/ });
});

test('bearer tokens: asked for once, sent only where they belong, refused clearly', async () => {
	const tokenPath = '/token?service=reg&scope=repository%3Aapp%3Apull&account=u';
	const judge: Judge = ({ path, headers }) => {
		if (path.startsWith('/token')) {
			const ok = headers.authorization === `Basic ${Buffer.from('u:p').toString('base64')}`;
			return ok ? { status: 200, body: '{"token":"abc","expires_in":300}' } : { status: 401 };
		}
		if (headers.authorization === 'Bearer abc') return undefined;
		return {
			status: 401,
			headers: {
				'www-authenticate': `Bearer realm="http://${proxy.host}/token",service="reg",scope="repository:app:pull"`,
			},
		};
	};
	proxy.reset(judge);
	const image = await opened.store.pull(proxy.through(pushed.reference), {
		credentials: { username: 'u', password: 'p' },
	});
	assert.equal(image.id, pushed.imageId);
	assert.ok(proxy.seen.some(({ path }) => path === tokenPath));
	await opened.store.remove(image.id);

	proxy.reset(judge);
	const wrong = opened.store.pull(proxy.through(pushed.reference), {
		credentials: { username: 'u', password: 'wrong' },
	});
	await assert.rejects(wrong, {
		condition: 'PERMISSION_DENIED',
		message: /gave no token \(401\); the credentials of the pull request for 127/,
	});
	await assert.rejects(opened.store.pull(proxy.through(pushed.reference)), {
		condition: 'PERMISSION_DENIED',
		message: /no credentials were given/,
	});
	proxy.reset(judge);
	const direct = await opened.store.pull(proxy.through(pushed.reference), {
		credentials: { registryToken: 'abc' },
	});
	assert.equal(direct.id, pushed.imageId);
	assert.ok(!proxy.seen.some(({ path }) => path.startsWith('/token')));
});

test('a cancelled pull leaves nothing; others that share it go on', async () => {
	let reached = Promise.withResolvers<void>();
	const judge: Judge = ({ path, before }) => {
		if (!isBig(path) || before > 0) return undefined;
		reached.resolve();
		return { after: 500_000, finish: 'stall' };
	};
	proxy.reset(judge);
	const alone = new AbortController();
	const lonely = opened.store.pull(proxy.through(pushed.reference), { signal: alone.signal });
	await reached.promise;
	alone.abort();
	await assert.rejects(lonely, { condition: 'CANCELLED' });
	assert.deepEqual(opened.store.list(), []);
	await opened.store.garbage({ fix: true });

	reached = Promise.withResolvers<void>();
	proxy.reset(judge);
	const first = new AbortController();
	const leaving = opened.store.pull(proxy.through(pushed.reference), { signal: first.signal });
	const staying = opened.store.pull(proxy.through(pushed.reference));
	await reached.promise;
	first.abort();
	await assert.rejects(leaving, { condition: 'CANCELLED' });
	assert.equal((await staying).id, pushed.imageId);
});

test('a registry that is not on this machine is spoken to with TLS only', async () => {
	// 0.0.0.0 leads here too, but does not say so.
	const elsewhere = proxy.host.replace('127.0.0.1', '0.0.0.0');
	proxy.reset();
	await assert.rejects(opened.store.pull(`${elsewhere}/app`), {
		condition: 'UNAVAILABLE',
		message: /https:\/\/0\.0\.0\.0/,
	});
	assert.deepEqual(proxy.seen, []);
	writeFileSync(
		join(opened.root, '../registries.conf'),
		`[[registry]]\nlocation = "${elsewhere}"\ninsecure = true\n`,
	);
	assert.equal((await opened.store.pull(`${elsewhere}/app`)).id, pushed.imageId);
});

test('a certificate that nobody vouches for is refused', async () => {
	const folder = join(opened.root, '..');
	const make = [
		'req',
		'-x509',
		'-newkey',
		'rsa:2048',
		'-nodes',
		'-subj',
		'/CN=0.0.0.0',
		'-keyout',
		'key.pem',
		'-out',
		'cert.pem',
	];
	execFileSync('openssl', make, { cwd: folder, stdio: 'ignore' });
	const server = createServer({
		key: readFileSync(join(folder, 'key.pem')),
		cert: readFileSync(join(folder, 'cert.pem')),
	});
	server.listen(0, '127.0.0.1');
	await once(server, 'listening');
	const { port } = server.address() as AddressInfo;
	await assert.rejects(opened.store.pull(`0.0.0.0:${port}/app`), {
		condition: 'UNAVAILABLE',
		message: /self.signed certificate/,
	});
	server.close();
});

test('gzip with trailing noise has the digest of all its bytes', async () => {
	const tar = makeTar([{ name: 'x' }]);
	const blob = Buffer.concat([gzipSync(tar), Buffer.alloc(100)]);
	assert.equal(gunzipSync(blob).length, tar.length);
	const digest = await registry.pushBlob('noise', blob);
	const { reference } = await registry.pushImage({
		name: 'noise',
		layers: [{ tar, claimed: { digest, size: blob.length } }],
	});
	assert.equal((await opened.store.pull(reference)).repoTags[0], reference);
});
