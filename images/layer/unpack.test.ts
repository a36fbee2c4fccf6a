import assert from 'node:assert/strict';
import { lstatSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { FakeFiles, listTree } from '../../test/support/fake-files.ts';
import { makeTar, type TarEntry } from '../../test/support/tar.ts';
import { ATTRIBUTES, LINK, MKNOD, SETXATTR } from './file-ops.ts';
import { type Unpacked, unpackLayer } from './unpack.ts';

let outer: string;
let root: string;
let files: FakeFiles;
beforeEach(() => {
	outer = mkdtempSync(join(tmpdir(), 'images-unpack-'));
	root = mkdtempSync(join(outer, 'fs-'));
	files = new FakeFiles();
});
afterEach(() => rmSync(outer, { recursive: true, force: true }));

async function unpack(entries: readonly TarEntry[], maxEntries = 1000): Promise<Unpacked> {
	async function* whole(): AsyncGenerator<Buffer> {
		yield makeTar(entries);
	}
	const apply = (ops: Parameters<FakeFiles['applyFiles']>[1]) => files.applyFiles(root, ops);
	return await unpackLayer(whole(), { root, apply, maxEntries, signal: new AbortController().signal });
}
const tree = () => listTree(root);
const opsOf = (path: string) => files.ops.filter((op) => op.path === path);
const isOpaque = (path: string) =>
	opsOf(path).some(
		(op) =>
			op.kind === SETXATTR &&
			op.name === 'trusted.overlay.opaque' &&
			Buffer.from(op.value).toString() === 'y',
	);
const isWhiteout = (path: string) =>
	opsOf(path).some((op) => op.kind === MKNOD && op.mode === 0o020000 && op.device === 0n);

test('files, folders and links with their attributes', async () => {
	await unpack([
		{ name: './', mode: 0o750 },
		{ name: 'a/', mode: 0o1777, uid: 3 },
		{
			name: 'a/f',
			data: 'hello',
			mode: 0o4755,
			uid: 1,
			gid: 2,
			mtime: '5.000000007',
			xattrs: { 'user.x': 'y' },
		},
		{ name: 'a/l', type: 'symlink', target: '../../../etc/passwd' },
		{ name: 'a/h', type: 'link', target: 'a/f' },
	]);
	assert.deepEqual(tree(), ['a', 'a/f', 'a/h', 'a/l']);
	assert.equal(readFileSync(join(root, 'a/h'), 'utf8'), 'hello');
	assert.equal(lstatSync(join(root, 'a/f')).nlink, 2);
	assert.equal(readlinkSync(join(root, 'a/l')), '../../../etc/passwd');
	const [attributes, xattr] = opsOf('a/f');
	assert.deepEqual(
		[attributes?.kind, attributes?.mode, attributes?.uid, attributes?.gid, attributes?.mtime_ns],
		[ATTRIBUTES, 0o4755, 1, 2, 5000000007n],
	);
	// After the attributes: chown takes capabilities away.
	assert.deepEqual([xattr?.kind, xattr?.name], [SETXATTR, 'user.x']);
	const order = files.ops.filter((op) => op.kind === ATTRIBUTES).map((op) => op.path);
	assert.deepEqual(order.slice(-2), ['.', 'a'], 'times of folders are set last');
});

test('devices and fifos are made by the native helper, also linked', async () => {
	await unpack([
		{ name: 'null', type: 'char', major: 1, minor: 3, mode: 0o666 },
		{ name: 'big', type: 'block', major: 0x1234, minor: 0x54321 },
		{ name: 'pipe', type: 'fifo' },
		{ name: 'also', type: 'link', target: 'null' },
	]);
	assert.deepEqual([opsOf('null')[0]?.mode, opsOf('null')[0]?.device], [0o020666, 0x103n]);
	assert.equal(opsOf('big')[0]?.device, 0x0000_1000_5432_3421n);
	assert.equal(opsOf('pipe')[0]?.mode, 0o010644);
	assert.deepEqual([opsOf('also')[0]?.kind, opsOf('also')[0]?.name], [LINK, 'null']);
});

test('whiteouts', async () => {
	await unpack([
		{ name: 'd/.wh.gone' },
		{ name: 'd/o/.wh..wh..opq' },
		{ name: '.wh..wh.plnk/' },
		{ name: '.wh..wh.plnk/1.2', data: 'x' },
		{ name: '.wh..wh.aufs' },
		{ name: 'back/', mode: 0o700 },
		{ name: '.wh.back' },
		{ name: '.wh.again' },
		{ name: 'again/' },
		{ name: 'kept', data: 'k' },
		{ name: '.wh.kept' },
		{ name: '.wh.under' },
		{ name: 'under/x', data: 'u' },
	]);
	assert.ok(isWhiteout('d/gone'));
	assert.ok(isOpaque('d/o'));
	assert.ok(isOpaque('back'), 'a folder that is also whited out hides what was below');
	assert.ok(isOpaque('again'));
	assert.ok(isOpaque('under'));
	assert.ok(!isWhiteout('kept'));
	assert.deepEqual(tree(), ['again', 'back', 'd', 'd/gone', 'd/o', 'kept', 'under', 'under/x']);
});

test('parents that no entry names are told, so that they can look like those below', async () => {
	const { impliedFolders } = await unpack([
		{ name: 'usr/lib/x', data: '1' },
		{ name: 'usr/', mode: 0o711 },
		{ name: 'tmp/y' },
	]);
	assert.deepEqual(impliedFolders, ['.', 'tmp', 'usr/lib']);
	assert.equal(lstatSync(join(root, 'tmp')).mode & 0o777, 0o755);
});

test('the last entry of a name wins, whatever it was before', async () => {
	await unpack([
		{ name: 'a', data: 'old' },
		{ name: 'a', data: 'new' },
		{ name: 'd/x', data: '1' },
		{ name: 'd', type: 'file', data: 'file now' },
		{ name: 's', type: 'symlink', target: '/etc' },
		{ name: 's/' },
		{ name: 's/in', data: '2' },
		{ name: 'n', type: 'fifo' },
		{ name: 'n', data: 'plain' },
		{ name: 'again/' },
		{ name: 'again/kept', data: '3' },
		{ name: 'again/', mode: 0o700 },
	]);
	assert.deepEqual(tree(), ['a', 'again', 'again/kept', 'd', 'n', 's', 's/in']);
	assert.equal(readFileSync(join(root, 'a'), 'utf8'), 'new');
	assert.equal(readFileSync(join(root, 'd'), 'utf8'), 'file now');
	assert.equal(readFileSync(join(root, 'n'), 'utf8'), 'plain');
});

test('a replaced file takes none of its other names along', async () => {
	await unpack([
		{ name: 'a', data: 'old' },
		{ name: 'b', type: 'link', target: 'a' },
		{ name: 'a', data: 'new' },
	]);
	assert.equal(readFileSync(join(root, 'b'), 'utf8'), 'old');
});

test('symlinked parents are resolved inside the layer', async () => {
	await unpack([
		{ name: 'usr/lib/' },
		{ name: 'lib', type: 'symlink', target: 'usr/lib' },
		{ name: 'lib/a', data: 'a' },
		{ name: 'out', type: 'symlink', target: '/../../../tmp' },
		{ name: 'out/b', data: 'b' },
		{ name: 'up', type: 'symlink', target: '../../../../x' },
		{ name: 'up/c', data: 'c' },
		{ name: 'h', type: 'link', target: 'lib/a' },
	]);
	assert.deepEqual(tree(), [
		'h',
		'lib',
		'out',
		'tmp',
		'tmp/b',
		'up',
		'usr',
		'usr/lib',
		'usr/lib/a',
		'x',
		'x/c',
	]);
	assert.deepEqual(readdirSync(outer), [root.slice(outer.length + 1)], 'nothing beside the root');
});

test('absolute names and dots are relative to the root', async () => {
	await unpack([
		{ name: '/etc/x', data: '1' },
		{ name: './etc/../y', data: '2' },
	]);
	assert.deepEqual(tree(), ['etc', 'etc/x', 'y']);
});

test('names that are no UTF-8 arrive byte by byte', async () => {
	await unpack([
		{
			name: Buffer.from([0x66, 0xff]),
			data: 'x',
			uid: process.getuid?.() ?? 0,
			gid: process.getgid?.() ?? 0,
			mode: 0o640,
		},
	]);
	const [name] = readdirSync(root, { encoding: 'buffer' });
	assert.deepEqual(name, Buffer.from([0x66, 0xff]));
	assert.equal(
		lstatSync(Buffer.concat([Buffer.from(`${root}/`), name ?? Buffer.alloc(0)])).mode & 0o777,
		0o640,
	);
});

test('hostile and unsupported entries are refused by name', async () => {
	const refused: [readonly TarEntry[], RegExp, string?][] = [
		[[{ name: '../x' }], /"\.\.\/x": it climbs out/],
		[[{ name: 'a/../../x' }], /climbs out/],
		[[{ name: 'h', type: 'link', target: '../../etc/passwd' }], /climbs out/],
		[
			[{ name: 'h', type: 'link', target: '/etc/passwd' }],
			/hard link to "\/etc\/passwd", which this layer does not hold/,
		],
		[
			[
				{ name: 's', type: 'symlink', target: '/etc' },
				{ name: 'h', type: 'link', target: 's/passwd' },
			],
			/does not hold/,
		],
		[[{ name: 'd/' }, { name: 'h', type: 'link', target: 'd' }], /folder/],
		[[{ name: 'a', data: 'x' }, { name: 'a/b' }], /"a" is no folder/],
		[[{ name: 'l', type: 'symlink', target: 'l' }, { name: 'l/x' }], /circles/],
		[[{ name: 'l', type: 'symlink', target: '' }], /symlink target/],
		[[{ name: 'x', pax: { path: 'a\0b' } }], /NUL/],
		[[{ name: 'n'.repeat(256) }], /longer than 255/],
		[[{ name: 'd/'.repeat(2100) }], /longer than 4095/],
		[[{ name: 'x', xattrs: { 'trusted.overlay.redirect': '/etc' } }], /trusted\.overlay\.redirect/],
		[[{ name: 'x', xattrs: { 'user.overlay.opaque': 'y' } }], /belongs to overlayfs/],
		[[{ name: 'x', xattrs: { nothing: 'y' } }], /no extended attribute/],
		[[{ name: '.wh.' }], /whiteout of nothing/],
		[[{ name: '.wh...' }], /whiteout of nothing/],
		[[{ name: './', type: 'file' }], /root of a layer/],
		[[{ name: 'x', type: 'char', major: 2 ** 40 }], /device number/],
		[[{ name: 'x', type: 'S' }], /type that is not supported/, 'UNIMPLEMENTED'],
		[[{ name: 'x', pax: { 'GNU.sparse.major': '1' } }], /sparse/, 'UNIMPLEMENTED'],
	];
	for (const [entries, message, condition = 'INVALID_ARGUMENT'] of refused) {
		await assert.rejects(unpack(entries), { condition, message }, String(message));
		rmSync(root, { recursive: true });
		root = mkdtempSync(join(outer, 'fs-'));
	}
});

test('more entries than allowed end it', async () => {
	await assert.rejects(
		unpack(
			Array.from({ length: 11 }, (_, i) => ({ name: `f${i}` })),
			10,
		),
		{ condition: 'RESOURCE_EXHAUSTED', message: /10 entries/ },
	);
});

test('long names of many entries end it before they fill the memory', async () => {
	const target = 't'.repeat(4000);
	const entries = Array.from({ length: 7 }, (_, index) => ({ name: `l${index}`, type: 'symlink', target }));
	await assert.rejects(unpack(entries, 100), {
		condition: 'RESOURCE_EXHAUSTED',
		message: /names .* 28014 bytes/,
	});
});

test('a failing native helper ends it', async () => {
	files.failure = new Error('no room');
	await assert.rejects(unpack([{ name: 'a' }]), /no room/);
});

test('folders that only a long name asks for count as entries', async () => {
	await assert.rejects(unpack([{ name: `${'d/'.repeat(200)}file` }], 100), /more than 100 entries/);
});
