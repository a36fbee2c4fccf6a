import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
	closeSync,
	copyFileSync,
	existsSync,
	mkdirSync,
	mkdtempSync,
	openSync,
	readdirSync,
	readFileSync,
	rmSync,
	truncateSync,
	writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type PushedImage, type Registry, startRegistry } from '../support/registry.ts';
import { openTestStore } from './store.ts';

let registry: Registry;
let pushed: PushedImage;
let other: PushedImage;
const base = { entries: [{ name: 'base', data: randomBytes(100_000) }] };
before(async () => {
	registry = await startRegistry();
	pushed = await registry.pushImage({
		name: 'app',
		layers: [base, { entries: [{ name: 'top', data: 'x' }] }],
	});
	other = await registry.pushImage({ name: 'other', layers: [base, { entries: [{ name: 'other' }] }] });
});
after(() => registry.stop());

test('a lost layer costs that layer only', async () => {
	const pulled: number[] = [];
	await using opened = await openTestStore({ hooks: { pulled: ({ bytes }) => pulled.push(bytes) } });
	const image = await opened.store.pull(pushed.reference);
	const { lowers } = await opened.store.lease(image.id, 'c');
	rmSync(join(lowers[0] ?? '', '..'), { recursive: true });
	const store = await opened.reopen();
	assert.deepEqual(store.list(), []);
	assert.match(opened.lines.join(), /misses layers/);
	assert.match((await store.garbage()).map(({ why }) => why).join(), /pull it again/);
	assert.equal((await store.pull(pushed.reference)).id, image.id);
	assert.equal(pulled[1], pushed.layers[1]?.size);
	assert.deepEqual(await store.garbage(), []);
});

test('an unreadable image record is kept aside and does not stop the others', async () => {
	await using opened = await openTestStore();
	const image = await opened.store.pull(pushed.reference);
	await opened.store.pull(other.reference);
	writeFileSync(join(opened.root, 'images', `${image.id.slice(7)}.json`), '{"version":1,');
	const store = await opened.reopen();
	assert.deepEqual(
		store.list().map(({ id }) => id),
		[other.imageId],
	);
	assert.match(opened.lines.join(), /kept aside/);
	const found = await store.garbage();
	assert.ok(found.some(({ path }) => path.includes('/unreadable/')));
	assert.equal((await store.pull(pushed.reference)).id, image.id);
	await store.garbage({ fix: true });
	assert.deepEqual(await store.garbage(), []);
});

/** What befalls a file of the store. */
const damages: readonly (readonly [what: string, damage: (path: string, other: string) => void])[] = [
	['truncated', (path) => truncateSync(path, 12)],
	['empty', (path) => truncateSync(path, 0)],
	['garbage', (path) => writeFileSync(path, Buffer.from('\x00\xff{"', 'latin1'))],
	['of a wrong type', (path) => writeFileSync(path, '[1]')],
	['that of another object', (path, other) => copyFileSync(other, path)],
	[
		'a folder',
		(path) => {
			rmSync(path);
			mkdirSync(join(path, 'inside'), { recursive: true });
		},
	],
];
for (const [what, damage] of damages) {
	test(`records that are ${what} are kept aside, and what they were of is brought again`, async () => {
		await using opened = await openTestStore();
		const image = await opened.store.pull(pushed.reference);
		const twin = await opened.store.pull(other.reference);
		const { lowers } = await opened.store.lease(image.id, 'victim');
		await opened.store.lease(twin.id, 'bystander');
		// As an overlay in a container holds it.
		const held = openSync(lowers[0] ?? '', 'r');
		const file = (...names: string[]) => join(opened.root, ...names);
		const named = (folder: string, text: string) => {
			const found = readdirSync(file(folder)).find((name) => readFileSync(file(folder, name)).includes(text));
			return file(folder, found ?? assert.fail(text));
		};
		damage(named('images', `"id":"${image.id}"`), named('images', `"id":"${twin.id}"`));
		damage(named('leases', '"victim"'), named('leases', '"bystander"'));
		const layer = join(lowers[0] ?? '', '../layer.json');
		const layers = readdirSync(file('snapshots')).map((name) => file('snapshots', name, 'layer.json'));
		damage(
			layer,
			layers.find((path) => readFileSync(path).includes(twin.chainIds[1] ?? '?')) ?? assert.fail(),
		);
		damage(file('version.json'), layer);
		const store = await opened.reopen();
		assert.deepEqual(
			store.holders().map(({ holder }) => holder),
			['bystander'],
		);
		assert.ok(readdirSync(`/proc/self/fd/${held}`).includes('top'), 'files in use are not touched');
		closeSync(held);
		const kept = (await store.garbage()).filter(({ path }) => path.includes('/unreadable/'));
		assert.ok(kept.length >= 4, kept.map(({ path }) => path).join());
		for (const { reference, imageId } of [pushed, other])
			assert.equal((await store.pull(reference)).id, imageId);
		await store.garbage({ fix: true });
		assert.deepEqual(await store.garbage(), []);
		assert.equal((await opened.reopen()).list().length, 2);
	});
}

test('layers that a container runs on stay, also when nobody can tell any more that they are its', async () => {
	await using opened = await openTestStore();
	const image = await opened.store.pull(pushed.reference);
	await opened.store.pull(other.reference);
	const { lowers } = await opened.store.lease(image.id, 'c');
	const record = join(opened.root, 'images', `${image.id.slice(7)}.json`);
	const layer = join(lowers[0] ?? '', '../layer.json');
	const [wasRecord, wasLayer] = [readFileSync(record), readFileSync(layer)];
	const areThere = (): readonly boolean[] => lowers.map((path) => existsSync(path));
	const fixes = async (): Promise<void> => {
		// As gantry doctor does.
		await using doctor = await openTestStore({ root: opened.root, lookOnly: true });
		await doctor.store.garbage({ fix: true });
	};

	writeFileSync(layer, '{');
	await fixes();
	assert.deepEqual(areThere(), [true, true], 'one layer cannot be read');
	writeFileSync(layer, wasLayer);
	writeFileSync(record, '{');
	await fixes();
	assert.deepEqual(areThere(), [true, true], 'its image cannot be read');
	const store = await opened.reopen();
	await store.remove(other.reference);
	assert.deepEqual(areThere(), [true, true], 'another image was removed');

	await store.release('c');
	writeFileSync(record, wasRecord);
	writeFileSync(layer, '{');
	await fixes();
	await fixes();
	assert.deepEqual(areThere(), [false, false], 'nobody uses them');
});

test('a store of a later version is left alone', async () => {
	await using opened = await openTestStore();
	writeFileSync(join(opened.root, 'version.json'), '{"version":2}');
	await assert.rejects(opened.reopen(), { condition: 'FAILED_PRECONDITION', message: /version 2/ });
	writeFileSync(join(opened.root, 'version.json'), '{"version":1}');
	await opened.reopen();
});

for (const [what, options, entries] of [
	['space', 'size=4m', [{ name: 'much', data: randomBytes(6_000_000) }]],
	['inodes', 'size=16m,nr_inodes=200', Array.from({ length: 400 }, (_, i) => ({ name: `f${i}` }))],
] as const) {
	test(`no ${what} left: told with the path, nothing half-published, and it goes on when there is room`, async () => {
		const folder = mkdtempSync(join(tmpdir(), 'images-full-'));
		execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'images-full', folder]);
		try {
			const large = await registry.pushImage({ name: `large-${what}`, layers: [base, { entries }] });
			await using opened = await openTestStore({ root: join(folder, 'images') });
			await assert.rejects(opened.store.pull(large.reference), {
				condition: 'RESOURCE_EXHAUSTED',
				message: new RegExp(`${folder}/images/.*ENOSPC|ENOSPC.*${folder}/images/`),
			});
			assert.deepEqual(opened.store.list(), []);
			await opened.store.garbage({ fix: true });
			assert.deepEqual(readdirSync(join(folder, 'images/snapshots')), []);
			assert.equal((await opened.store.pull(pushed.reference)).id, pushed.imageId);
			execFileSync('mount', ['-o', 'remount,size=64m,nr_inodes=2000', folder]);
			assert.equal((await opened.store.pull(large.reference)).id, large.imageId);
		} finally {
			execFileSync('umount', [folder]);
			rmSync(folder, { recursive: true });
		}
	});
}

test('what skopeo pushes is understood', async () => {
	const from = `docker://${pushed.reference}`;
	for (const [format, compression] of [
		['v2s2', 'gzip'],
		['oci', 'zstd'],
		['oci', 'gzip'],
	]) {
		const tag = `${format}-${compression}`;
		const args = [
			'copy',
			'-q',
			'--insecure-policy',
			'--src-tls-verify=false',
			'--dest-tls-verify=false',
			'--dest-compress-format',
			String(compression),
			'-f',
			String(format),
			from,
			`docker://${registry.host}/skopeo:${tag}`,
		];
		execFileSync('skopeo', args, { stdio: 'pipe' });
		await using opened = await openTestStore();
		const image = await opened.store.pull(`${registry.host}/skopeo:${tag}`);
		assert.equal(image.config.diffIds.length, 2, tag);
	}
});
