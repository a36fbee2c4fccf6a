import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { silentLog } from '#base/log.ts';
import { FakeFiles } from '../../test/support/fake-files.ts';
import { chainIdsOf, sha256Of } from '../digest.ts';
import { SetAside } from '../store/set-aside.ts';
import { type SnapshotRequest, Snapshots } from './snapshots.ts';

let folder: string;
let root: string;
let files: FakeFiles;
beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), 'images-snapshots-'));
	root = join(folder, 'snapshots');
	files = new FakeFiles();
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const open = (lookOnly = false) =>
	Snapshots.open({
		root,
		files,
		setAside: new SetAside(join(folder, 'unreadable'), silentLog),
		log: silentLog,
		lookOnly,
	});
const never = new AbortController().signal;
const DIFFS = ['a', 'b'].map((text) => sha256Of(text));
const CHAIN = chainIdsOf(DIFFS);
function request(i: number, unpack: SnapshotRequest['unpack']): SnapshotRequest {
	return {
		chainId: CHAIN[i] ?? '',
		parents: CHAIN.slice(0, i),
		diffId: DIFFS[i] ?? '',
		digest: DIFFS[i] ?? '',
		unpack,
	};
}
const fill = async (target: string) => {
	writeFileSync(join(target, 'file'), 'x');
	return { impliedFolders: [] };
};

test('unpacked once, known again after opening', async () => {
	const snapshots = await open();
	let unpacked = 0;
	const counting = async (target: string) => {
		unpacked++;
		return await fill(target);
	};
	const [one, two] = await Promise.all([
		snapshots.ensure(request(0, counting), never),
		snapshots.ensure(request(0, counting), never),
	]);
	assert.equal(one, two);
	assert.equal(unpacked, 1);
	assert.deepEqual(readdirSync(one.files), ['file']);
	assert.deepEqual((await open()).get(one.chainId), one);
});

test('a layer is committed only after the one below', async () => {
	const snapshots = await open();
	const below = Promise.withResolvers<void>();
	const lower = snapshots.ensure(
		request(0, async (target) => {
			await below.promise;
			return await fill(target);
		}),
		never,
	);
	const upper = snapshots.ensure(request(1, fill), never);
	await new Promise((resolve) => setTimeout(resolve, 20));
	assert.equal(snapshots.get(CHAIN[1] ?? ''), undefined);
	below.resolve();
	await Promise.all([lower, upper]);
	await assert.rejects(
		(await open()).ensure(
			{ ...request(1, fill), chainId: sha256Of('z'), parents: [sha256Of('missing')] },
			never,
		),
		{ condition: 'ABORTED' },
	);
});

test('a failure leaves nothing; who shared it tries alone', async () => {
	const snapshots = await open();
	const failing = snapshots.ensure(
		request(0, () => Promise.reject(new Error('refused'))),
		never,
	);
	const sharing = snapshots.ensure(request(0, fill), never);
	await assert.rejects(failing, /refused/);
	assert.equal((await sharing).chainId, CHAIN[0]);
	assert.equal(readdirSync(root).length, 1);
});

test('a layer whose bytes an earlier sync could not write is not committed', async () => {
	const snapshots = await open();
	const sync = files.syncFileSystem;
	files.syncFileSystem = () => Promise.reject(new Error('lost'));
	const losing = async (target: string) => {
		const filled = await fill(target);
		snapshots.writeBehind();
		await new Promise(setImmediate);
		files.syncFileSystem = sync;
		return filled;
	};
	await assert.rejects(snapshots.ensure(request(0, losing), never), /lost/);
	assert.deepEqual(readdirSync(root), []);
	await snapshots.ensure(request(0, fill), never);
});

test('opening removes interrupted work and keeps unreadable records', async () => {
	const first = await open();
	const { folder: whole } = await first.ensure(request(0, fill), never);
	mkdirSync(join(root, 'zz/fs'), { recursive: true });
	mkdirSync(join(root, 'yy/fs'), { recursive: true });
	writeFileSync(join(root, 'yy/layer.json'), '{"version":1');
	const kept = await open(true);
	assert.equal((await kept.interrupted()).length, 1);
	const again = await open();
	assert.deepEqual(
		readdirSync(root).map((name) => join(root, name)),
		[whole],
	);
	assert.equal(readdirSync(join(folder, 'unreadable')).length, 1);
	const next = await again.ensure(request(1, fill), never);
	assert.notEqual(next.folder, whole);
});

test('removed is gone, twice is fine', async () => {
	const snapshots = await open();
	const { chainId } = await snapshots.ensure(request(0, fill), never);
	await snapshots.remove(chainId);
	await snapshots.remove(chainId);
	assert.deepEqual(readdirSync(root), []);
	assert.equal(snapshots.get(chainId), undefined);
});
