import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { lstatSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, mock, test } from 'node:test';
import type { Image, ImageStore, PullProgress } from '../../images/index.ts';
import { busyboxEntries, type Registry, startRegistry } from '../support/registry.ts';
import { openTestStore } from './store.ts';

let registry: Registry;
before(async () => {
	registry = await startRegistry();
});
after(() => registry.stop());

async function lowersOf(store: ImageStore, image: Image): Promise<readonly string[]> {
	const { lowers } = await store.lease(image.id, 'look');
	await store.release('look');
	return lowers;
}

test('a real image: files, modes, owners, times, links, devices', async () => {
	const pushed = await registry.pushImage({
		name: 'real',
		config: { Cmd: ['sh'], Env: ['A=b'], User: '5', Labels: { x: 'y' } },
		layers: [
			{ entries: busyboxEntries() },
			{
				entries: [
					{
						name: 'bin/su',
						data: 'x',
						mode: 0o4755,
						uid: 7,
						gid: 8,
						mtime: '1600000000.123456789',
						xattrs: { 'user.note': 'n' },
					},
					{
						name: 'bin/cap',
						data: 'y',
						xattrs: {
							'security.capability': Buffer.from([
								1, 0, 0, 2, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
							]),
						},
					},
					{ name: 'dev/null', type: 'char', major: 1, minor: 3, mode: 0o666 },
					{ name: 'tmp/kept' },
					{ name: '.wh.usr' },
				],
				compression: 'zstd',
			},
			{ entries: [{ name: 'plain', data: 'p'.repeat(100_000) }], compression: 'none' },
		],
	});
	await using opened = await openTestStore();
	const { store } = opened;
	const progress: PullProgress[] = [];
	const image = await store.pull(pushed.reference, { onProgress: (step) => progress.push(step) });

	assert.equal(image.id, pushed.imageId);
	assert.deepEqual(image.repoTags, [pushed.reference]);
	assert.deepEqual(image.repoDigests, [`${registry.host}/real@${pushed.digest}`]);
	assert.deepEqual(
		[image.config.command, image.config.env, image.config.user, image.config.labels],
		[['sh'], ['A=b'], '5', { x: 'y' }],
	);
	assert.equal(image.manifestDigest, pushed.digest);
	assert.ok(image.sizeBytes > 500_000);
	assert.deepEqual([progress[0]?.stage, progress.at(-1)?.stage], ['resolve', 'commit']);
	for (const layer of pushed.layers) {
		assert.ok(
			progress.some(
				(step) =>
					step.digest === layer.digest && step.doneBytes === layer.size && step.totalBytes === layer.size,
			),
		);
	}

	const [top = '', middle = '', bottom = ''] = await lowersOf(store, image);
	assert.equal(readFileSync(join(top, 'plain'), 'utf8').length, 100_000);
	const su = lstatSync(join(middle, 'bin/su'), { bigint: true });
	assert.deepEqual([su.mode & 0o7777n, su.uid, su.gid, su.mtimeNs], [0o4755n, 7n, 8n, 1600000000123456789n]);
	assert.equal(
		lstatSync(join(middle, 'tmp')).mode & 0o7777,
		0o1777,
		'an implied folder looks like the one below',
	);
	assert.equal(lstatSync(middle).mode & 0o7777, 0o755);
	const whiteout = lstatSync(join(middle, 'usr'));
	assert.ok(whiteout.isCharacterDevice() && whiteout.rdev === 0);
	assert.equal(lstatSync(join(middle, 'dev/null')).rdev, 0x103);
	assert.equal(lstatSync(join(bottom, 'bin/sh')).ino, lstatSync(join(bottom, 'bin/busybox')).ino);
	assert.equal(readlinkSync(join(bottom, 'usr/bin/env')), '../../bin/env');
	assert.equal(lstatSync(opened.root).mode & 0o777, 0o700);
	const usage = await store.usage();
	assert.ok(usage.usedBytes >= image.sizeBytes && usage.usedInodes > 20);
});

test('Docker schema 2, and an index with the entry of this machine', async () => {
	const other = await registry.pushImage({
		name: 'multi',
		tag: '',
		layers: [{ entries: [{ name: 'other' }] }],
		platform: { os: 'linux', architecture: 's390x' },
	});
	const own = await registry.pushImage({
		name: 'multi',
		tag: '',
		layers: [{ entries: [{ name: 'own' }] }],
		docker: true,
	});
	for (const docker of [true, false]) {
		const index = await registry.pushIndex({
			name: 'multi',
			tag: `v${docker}`,
			images: [other, own],
			docker,
		});
		await using opened = await openTestStore();
		const image = await opened.store.pull(index.reference);
		assert.equal(image.id, own.imageId);
		assert.deepEqual(image.repoDigests, [
			`${registry.host}/multi@${index.digest}`,
			`${registry.host}/multi@${own.digest}`,
		]);
		assert.equal((await opened.store.pull(`${registry.host}/multi@${index.digest}`)).id, own.imageId);
		assert.equal(opened.store.find(`${registry.host}/multi@${own.digest}`)?.id, own.imageId);
	}
	const foreign = await registry.pushIndex({ name: 'multi', tag: 'foreign', images: [other] });
	await using opened = await openTestStore();
	await assert.rejects(opened.store.pull(foreign.reference), {
		condition: 'NOT_FOUND',
		message: /no image for linux\/.*only for linux\/s390x/,
	});
	await assert.rejects(opened.store.pull(other.reference), {
		condition: 'NOT_FOUND',
		message: /it is for linux\/s390x/,
	});
});

test('layers that are here are not brought again; a tag moves', async () => {
	const base = { entries: [{ name: 'base', data: 'b'.repeat(50_000) }] };
	const first = await registry.pushImage({ name: 'moving', layers: [base, { entries: [{ name: 'one' }] }] });
	const pulled: number[] = [];
	await using opened = await openTestStore({ hooks: { pulled: ({ bytes }) => pulled.push(bytes) } });
	const { store } = opened;
	const one = await store.pull(first.reference);
	assert.equal(
		pulled[0],
		first.layers.reduce((sum, layer) => sum + layer.size, 0),
	);
	assert.equal(await store.pull(first.reference), store.find(one.id));
	assert.equal(pulled[1], 0);

	const second = await registry.pushImage({ name: 'moving', layers: [base, { entries: [{ name: 'two' }] }] });
	const two = await store.pull(second.reference);
	assert.equal(pulled[2], second.layers[1]?.size);
	assert.equal(two.chainIds[0], one.chainIds[0]);
	assert.deepEqual(store.find(one.id)?.repoTags, []);
	assert.deepEqual(store.find(one.id)?.repoDigests, one.repoDigests);
	assert.equal(store.find(first.reference)?.id, two.id);
	assert.equal(store.list().length, 2);
});

test('everything is there again after a restart', async () => {
	const pushed = await registry.pushImage({
		name: 'again',
		layers: [{ entries: [{ name: 'f', data: 'x' }] }],
	});
	await using opened = await openTestStore({ pinned: ['*/again:*'] });
	const before = await opened.store.pull(pushed.reference);
	await opened.store.lease(before.id, 'container-1');
	const store = await opened.reopen();
	assert.deepEqual(store.find(pushed.reference), before);
	assert.equal(before.pinned, true);
	assert.deepEqual(store.holders(), [{ holder: 'container-1', imageId: before.id }]);
	assert.deepEqual(opened.lines, []);
});

test('find: ids, beginnings of ids, tags and digests', async () => {
	const pushed = await registry.pushImage({ name: 'found', tag: 'x1', layers: [] });
	await using opened = await openTestStore();
	const { store } = opened;
	const { id } = await store.pull(pushed.reference);
	const hex = id.slice(7);
	const name = `${registry.host}/found`;
	for (const reference of [
		id,
		hex,
		hex.slice(0, 13),
		id.slice(0, 20),
		hex.slice(0, 5),
		pushed.reference,
		`${name}@${pushed.digest}`,
		`${name}:other@${pushed.digest}`,
	]) {
		assert.equal(store.find(reference)?.id, id, reference);
	}
	for (const reference of [name, 'busybox', `${name}@sha256:${'0'.repeat(64)}`, '0'.repeat(64)])
		assert.equal(store.find(reference), undefined, reference);
	assert.throws(() => store.find('No Such'), { condition: 'INVALID_ARGUMENT' });
	const [lower = ''] = await lowersOf(store, await store.pull(pushed.reference));
	assert.ok(lstatSync(lower).isDirectory(), 'an image without layers has one empty folder');
});

test('remove: names, images, and what no other image needs', async () => {
	const base = { entries: [{ name: 'base', data: 'b' }] };
	const one = await registry.pushImage({
		name: 'rm',
		tag: 'one',
		layers: [base, { entries: [{ name: '1' }] }],
	});
	const same = await registry.pushImage({
		name: 'rm',
		tag: 'same',
		layers: [base, { entries: [{ name: '1' }] }],
	});
	const two = await registry.pushImage({
		name: 'rm',
		tag: 'two',
		layers: [base, { entries: [{ name: '2' }] }],
	});
	assert.equal(one.imageId, same.imageId);
	await using opened = await openTestStore();
	const { store } = opened;
	for (const { reference } of [one, same, two]) await store.pull(reference);
	assert.equal(store.list().length, 2);

	await store.remove(one.reference);
	assert.deepEqual(store.find(one.imageId)?.repoTags, [same.reference]);
	const lease = await store.lease(one.imageId, 'holder');
	await assert.rejects(store.remove(same.reference), {
		condition: 'FAILED_PRECONDITION',
		message: /holder uses it/,
	});
	assert.ok(lstatSync(lease.lowers[0] ?? '').isDirectory());
	await lease[Symbol.asyncDispose]();
	await store.remove(same.reference);
	assert.equal(store.find(one.imageId), undefined);
	assert.throws(() => lstatSync(lease.lowers[0] ?? ''), { code: 'ENOENT' });
	assert.ok(lstatSync(lease.lowers[1] ?? '').isDirectory(), 'the base is still needed');
	await store.remove(one.reference);
	await store.remove(two.imageId);
	assert.deepEqual(store.list(), []);
	assert.deepEqual(await store.garbage(), []);
	assert.equal((await store.usage()).usedInodes, 0);
});

test('equal pulls share one transfer; different ones run side by side', async () => {
	const layers = Array.from({ length: 8 }, (_, i) => ({
		entries: [{ name: `f${i}`, data: String(i).repeat(200_000) }],
	}));
	const a = await registry.pushImage({ name: 'par-a', layers });
	const b = await registry.pushImage({ name: 'par-b', layers: [...layers, { entries: [{ name: 'more' }] }] });
	let pulls = 0;
	await using opened = await openTestStore({ hooks: { pulled: () => pulls++ } });
	const images = await Promise.all([a, b, a, b, a, b].map(({ reference }) => opened.store.pull(reference)));
	assert.equal(pulls, 2);
	assert.deepEqual(new Set(images.map((image) => image.id)), new Set([a.imageId, b.imageId]));
	assert.deepEqual(await opened.store.garbage(), []);
});

test('a large layer is written to the disk while the rest of it comes; bytes that are lost there fail the pull', async () => {
	const layers = [{ entries: [{ name: 'large', data: randomBytes(20 * 1024 ** 2) }] }];
	const { reference } = await registry.pushImage({ name: 'large', layers });
	await using opened = await openTestStore();
	const sync = mock.method(opened.launcher, 'syncFileSystem');
	sync.mock.mockImplementationOnce(() => Promise.reject(new Error('lost')));
	await assert.rejects(opened.store.pull(reference), /lost/);
	assert.equal(opened.store.list().length, 0);
	sync.mock.resetCalls();
	await opened.store.pull(reference);
	assert.equal(sync.mock.callCount(), 3, 'beside those of the layer and of the image');
});
