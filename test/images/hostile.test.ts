/** Images that mean harm, through the whole way of a pull: refused or contained, named, and nothing is left behind. */
import assert from 'node:assert/strict';
import { lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { FaultyProxy } from '../support/faulty-proxy.ts';
import { type LayerSource, type Registry, startRegistry } from '../support/registry.ts';
import { makeTar, type TarEntry } from '../support/tar.ts';
import { openTestStore, type TestStore } from './store.ts';

const INDEX = 'application/vnd.oci.image.index.v1+json';

let registry: Registry;
let opened: TestStore;
/** A folder of the host, with a file. */
let victim: string;
before(async () => {
	registry = await startRegistry();
	opened = await openTestStore({ maxLayerBytes: 40_000_000, maxLayerEntries: 300 });
});
after(async () => {
	await opened[Symbol.asyncDispose]();
	await registry.stop();
});
beforeEach(() => {
	victim = mkdtempSync(join(tmpdir(), 'victim-'));
	writeFileSync(join(victim, 'file'), 'intact', { mode: 0o600 });
});
afterEach(async () => {
	assert.deepEqual(readdirSync(victim), ['file'], 'nothing is made or removed outside');
	assert.equal(readFileSync(join(victim, 'file'), 'utf8'), 'intact');
	const { mode, nlink, uid } = statSync(join(victim, 'file'));
	assert.deepEqual([mode & 0o7777, nlink, uid], [0o600, 1, 0]);
	rmSync(victim, { recursive: true });
	for (const image of opened.store.list()) await opened.store.remove(image.id);
	await opened.store.garbage({ fix: true });
	assert.deepEqual(readdirSync(join(opened.root, 'snapshots')), [], 'nothing is left behind');
});

const pullLayers = async (...layers: LayerSource[]) =>
	opened.store.pull((await registry.pushImage({ name: 'hostile', layers })).reference);

const toVictim = (): TarEntry => ({ name: 's', type: 'symlink', target: victim });
const deviceAt = (name: string): TarEntry => ({ name, type: 'char', major: 1, minor: 3, mode: 0o666 });

const refused: readonly (readonly [
	name: string,
	entries: () => readonly TarEntry[],
	why: RegExp,
	condition?: string,
])[] = [
	['a name that climbs', () => [{ name: `../../../../../../..${victim}/evil` }], /climbs out/],
	['a whiteout that climbs', () => [{ name: '../.wh.snapshots' }], /climbs out/],
	['an opaque mark that climbs', () => [{ name: '../.wh..wh..opq' }], /climbs out/],
	['a whiteout of the parent', () => [{ name: 'a/.wh...' }], /whiteout of nothing/],
	['a hard link to the host', () => [{ name: 'h', type: 'link', target: `${victim}/file` }], /does not hold/],
	[
		'a hard link that climbs',
		() => [{ name: 'h', type: 'link', target: '../../../../etc/passwd' }],
		/climbs out/,
	],
	[
		'a hard link through a symlink',
		() => [toVictim(), { name: 'h', type: 'link', target: 's/file' }],
		/does not hold/,
	],
	[
		'a symlink loop',
		() => [
			{ name: 'l', type: 'symlink', target: 'm/x' },
			{ name: 'm', type: 'symlink', target: 'l' },
			{ name: 'l/x' },
		],
		/circles/,
	],
	[
		'an attribute of overlayfs',
		() => [{ name: 'x', xattrs: { 'trusted.overlay.redirect': victim } }],
		/belongs to overlayfs/,
	],
	[
		'a device number beyond the kernel',
		() => [{ name: 'x', type: 'block', major: 2 ** 40 }],
		/device number/,
	],
	['a socket', () => [{ name: 'x', type: 's' }], /not supported/, 'UNIMPLEMENTED'],
	[
		'a sparse file',
		() => [{ name: 'x', pax: { 'GNU.sparse.major': '1', 'GNU.sparse.realsize': '1' } }],
		/sparse/,
		'UNIMPLEMENTED',
	],
	['an old sparse file', () => [{ name: 'x', type: 'S', data: 'x' }], /not supported/, 'UNIMPLEMENTED'],
	['a user id that means root', () => [{ name: 'x', uid: 2 ** 32 - 1 }], /no usable owner/, 'DATA_LOSS'],
	[
		'a header of 5 MiB',
		() => [{ name: 'x', pax: { comment: 'c'.repeat(5_000_000) } }],
		/max size/,
		'DATA_LOSS',
	],
	[
		'a header of many records',
		() => [{ name: 'x', pax: Object.fromEntries(Array.from({ length: 1100 }, (_, at) => [`k${at}`, 'v'])) }],
		/1024/,
		'DATA_LOSS',
	],
	[
		'a global header of 5 MiB',
		() => [{ name: 'x', type: 'g', data: 'c'.repeat(5_000_000) }],
		/max size/,
		'DATA_LOSS',
	],
	[
		'folders that one name asks for',
		() => [{ name: `${'d/'.repeat(400)}x` }],
		/300 entries/,
		'RESOURCE_EXHAUSTED',
	],
	[
		'long targets',
		() =>
			Array.from({ length: 30 }, (_, at) => ({ name: `l${at}`, type: 'symlink', target: 't'.repeat(4000) })),
		/names of its entries/,
		'RESOURCE_EXHAUSTED',
	],
	[
		'more data than its header tells',
		() => [{ name: 'x', data: 'y'.repeat(2000), size: 100 }],
		/no tar that can be read/,
		'DATA_LOSS',
	],
	[
		'less data than its header tells',
		() => [{ name: 'x', data: 'y', size: 1_000_000 }],
		/Unexpected end/,
		'DATA_LOSS',
	],
];
for (const [name, entries, message, condition = 'INVALID_ARGUMENT'] of refused)
	test(`refused: ${name}`, async () => {
		await assert.rejects(pullLayers({ entries: entries() }), (error: Error & { condition: string }) => {
			assert.equal(error.condition, condition);
			assert.match(
				error.message,
				/^Cannot unpack layer sha256:[0-9a-f]{64} of 127\.0\.0\.1:\d+\/hostile:latest: /,
			);
			assert.match(error.message, message);
			return true;
		});
		assert.deepEqual(opened.store.list(), []);
	});

const contained: readonly (readonly [name: string, entries: () => readonly TarEntry[]])[] = [
	['a file through a symlink', () => [toVictim(), { name: 's/evil', data: 'x' }]],
	['a file in place of what a symlink names', () => [toVictim(), { name: 's/file', data: 'x' }]],
	['an absolute name', () => [{ name: `${victim}/file`, data: 'x' }]],
	[
		'a symlink that is replaced by a file',
		() => [
			{ name: 's', type: 'symlink', target: `${victim}/file` },
			{ name: 's', data: 'x', mode: 0o777 },
		],
	],
	[
		'attributes of a symlink',
		() => [{ name: 's', type: 'symlink', target: `${victim}/file`, mode: 0o777, uid: 5 }],
	],
	['a folder at a symlink', () => [toVictim(), { name: 's/', mode: 0o777, uid: 5 }]],
	[
		'a symlink of symlinks',
		() => [
			{ name: 'a', type: 'symlink', target: '..' },
			{ name: 's', type: 'symlink', target: `a/../..${victim}` },
			{ name: 's/evil', data: 'x' },
		],
	],
	['a device through a symlink', () => [toVictim(), deviceAt('s/null')]],
	[
		'a device whose other name is a symlink',
		() => [toVictim(), deviceAt('n'), { name: 's/null', type: 'link', target: 'n' }],
	],
	[
		'a hard link of a symlink',
		() => [
			{ name: 's', type: 'symlink', target: `${victim}/file` },
			{ name: 'h', type: 'link', target: 's' },
			{ name: 'h', data: 'x' },
		],
	],
	['a whiteout through a symlink', () => [toVictim(), { name: 's/.wh.file' }]],
	['a whiteout of an absolute name', () => [{ name: `${victim}/.wh.file` }]],
	['an opaque mark through a symlink', () => [toVictim(), { name: 's/.wh..wh..opq' }]],
	[
		'an attribute through a symlink',
		() => [
			{ name: 's', type: 'symlink', target: `${victim}/file` },
			{ name: 's/x', xattrs: { 'user.a': 'b' } },
		],
	],
	[
		'a FIFO, which nobody opens',
		() => [
			{ name: 'f', type: 'fifo' },
			{ name: 'g', type: 'link', target: 'f' },
			{ name: 'f', data: 'x' },
		],
	],
];
for (const [name, entries] of contained)
	test(`contained: ${name}`, async () => {
		const image = await pullLayers({ entries: entries() });
		await using lease = await opened.store.lease(image.id, 'test');
		for (const lower of lease.lowers) assert.ok(lstatSync(lower).isDirectory());
	});

test('a symlink of a lower layer is not followed by the next one', async () => {
	const image = await pullLayers(
		{ entries: [toVictim(), { name: 'l', type: 'symlink', target: `${victim}/file` }] },
		{ entries: [{ name: 's/evil', data: 'x' }, { name: 's/.wh.file' }, { name: 'l', data: 'own' }] },
	);
	await using lease = await opened.store.lease(image.id, 'test');
	const [upper = '', lower = ''] = lease.lowers;
	assert.ok(lstatSync(join(lower, 's')).isSymbolicLink());
	assert.equal(readFileSync(join(upper, 's/evil'), 'utf8'), 'x');
	assert.equal(readFileSync(join(upper, 'l'), 'utf8'), 'own');
});

test('a hard link to a file of a lower layer is refused, not made to one of the host', async () => {
	const lower = { entries: [{ name: 'file', data: 'x' }] };
	const upper = { entries: [{ name: 'h', type: 'link', target: 'file' }] };
	await assert.rejects(pullLayers(lower, upper), { condition: 'INVALID_ARGUMENT', message: /does not hold/ });
});

const zeros = () => makeTar([{ name: 'zeros', data: Buffer.alloc(60_000_000) }]);
const damaged: readonly (readonly [name: string, blob: () => Buffer, why: RegExp, condition?: string])[] = [
	['a gzip bomb', () => gzipSync(zeros()), /expands to more than 40000000/, 'RESOURCE_EXHAUSTED'],
	['a zstd bomb', () => zstdCompressSync(zeros()), /expands to more than 40000000/, 'RESOURCE_EXHAUSTED'],
	['gzip in gzip', () => gzipSync(gzipSync(makeTar([{ name: 'x' }]))), /no tar/],
	[
		'a cut gzip',
		() => gzipSync(makeTar([{ name: 'x', data: 'y'.repeat(9000) }])).subarray(0, 60),
		/no tar that can be read/,
	],
	[
		'a cut zstd',
		() => zstdCompressSync(makeTar([{ name: 'x', data: 'y'.repeat(9000) }])).subarray(0, 40),
		/no tar that can be read/,
	],
	[
		'gzip with a wrong checksum',
		() => broken(gzipSync(makeTar([{ name: 'x' }])), -8),
		/incorrect data check/,
	],
	['noise', () => Buffer.alloc(4096, 'noise'), /no tar/],
];
const broken = (bytes: Buffer, at: number): Buffer => {
	const place = bytes.length + at;
	bytes[place] = (bytes[place] ?? 0) ^ 0xff;
	return bytes;
};
for (const [name, make, message, condition = 'DATA_LOSS'] of damaged)
	test(`a blob that is ${name} is refused by name`, async () => {
		const blob = make();
		const digest = await registry.pushBlob('hostile', blob);
		const claimed = { digest, size: blob.length };
		await assert.rejects(pullLayers({ tar: makeTar([]), claimed }), { condition, message });
	});

test('indexes that lead to indexes, and indexes of nothing, end', async () => {
	const { descriptor } = await registry.pushImage({ name: 'deep', layers: [{ entries: [{ name: 'x' }] }] });
	let inner: Record<string, unknown> = descriptor;
	for (let depth = 0; depth < 5; depth++) {
		const body = JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests: [inner] });
		const digest = await registry.pushManifest('deep', `d${depth}`, INDEX, body);
		inner = { mediaType: INDEX, digest, size: body.length };
	}
	assert.ok(await opened.store.pull(`${registry.host}/deep:d1`));
	await assert.rejects(opened.store.pull(`${registry.host}/deep:d4`), {
		condition: 'NOT_FOUND',
		message: /deeper than 3/,
	});
	const empty = JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests: [] });
	await registry.pushManifest('deep', 'empty', INDEX, empty);
	await assert.rejects(opened.store.pull(`${registry.host}/deep:empty`), {
		condition: 'NOT_FOUND',
		message: /only for nothing/,
	});
});

test('an index that says to be itself, and documents that never end, end', async () => {
	const { reference, digest } = await registry.pushImage({
		name: 'self',
		layers: [{ entries: [{ name: 'x' }] }],
	});
	await using proxy = await FaultyProxy.start(registry.host);
	const itself = JSON.stringify({ mediaType: INDEX, manifests: [{ mediaType: INDEX, digest, size: 9 }] });
	proxy.reset(({ path }) => (path.includes('/manifests/') ? { status: 200, body: itself } : undefined));
	await assert.rejects(opened.store.pull(proxy.through(reference)), {
		condition: 'DATA_LOSS',
		message: /is sha256:.*, not sha256/,
	});
	const huge = Buffer.alloc(5 * 1024 * 1024, ' ');
	for (const part of ['/manifests/', '/blobs/', '/token'] as const) {
		proxy.reset(({ path }) => {
			if (path.includes(part)) return { status: 200, body: huge };
			const challenge = `Bearer realm="http://${proxy.host}/token",service="s"`;
			return part === '/token' ? { status: 401, headers: { 'www-authenticate': challenge } } : undefined;
		});
		await assert.rejects(
			opened.store.pull(proxy.through(reference)),
			{ condition: 'DATA_LOSS', message: /longer than (4194304|1048576) bytes/ },
			part,
		);
	}
});

test('nobody is sent to where clouds keep credentials, and tokens are not asked for there', async () => {
	const { reference } = await registry.pushImage({ name: 'sent', layers: [{ entries: [{ name: 'x' }] }] });
	await using proxy = await FaultyProxy.start(registry.host);
	const metadata = 'http://169.254.169.254/latest/meta-data/iam/security-credentials/';
	const why = {
		condition: 'PERMISSION_DENIED',
		message: /sent:latest: .* it sends us to 169\.254\.169\.254, a link-local address; refused/,
	};
	proxy.reset(() => ({ status: 307, headers: { location: metadata } }));
	await assert.rejects(opened.store.pull(proxy.through(reference)), why);
	proxy.reset(() => ({
		status: 401,
		headers: { 'www-authenticate': `Bearer realm="${metadata}",service="s"` },
	}));
	const credentials = { username: 'u', password: 'p' };
	await assert.rejects(opened.store.pull(proxy.through(reference), { credentials }), why);
});
