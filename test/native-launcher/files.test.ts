import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { linkSync, lstatSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Struct } from '../../runtime/shim/codec.ts';
import { FS_OPS } from '../../runtime/shim/schema.ts';
import { buildProbe, refused, TestLauncher, temporaryFolder } from './launcher.ts';

const { ATTRIBUTES, MKNOD, SETXATTR, LINK } = FS_OPS;
const fsOp = (kind: number, path: string, rest: Partial<Struct<'fs_op'>> = {}): Struct<'fs_op'> => ({
	kind,
	path,
	mode: 0o644,
	uid: 0,
	gid: 0,
	device: 0n,
	atime_ns: 0n,
	mtime_ns: 0n,
	name: '',
	value: new Uint8Array(),
	...rest,
});

test('owners, modes and times to the nanosecond, before 1970 too, and on symlinks without following them', async () => {
	await using launcher = await TestLauncher.start();
	using root = temporaryFolder();
	mkdirSync(join(root.path, 'usr/bin'), { recursive: true });
	writeFileSync(join(root.path, 'usr/bin/su'), '');
	writeFileSync(join(root.path, 'old'), '');
	symlinkSync('/etc/passwd', join(root.path, 'link'));
	const passwd = lstatSync('/etc/passwd', { bigint: true });
	const ops = [
		fsOp(ATTRIBUTES, 'usr/bin/su', {
			mode: 0o4755,
			uid: 1,
			gid: 2,
			atime_ns: 5_000_000_007n,
			mtime_ns: 1_600_000_000_123_456_789n,
		}),
		fsOp(ATTRIBUTES, 'usr/bin', { mode: 0o1777, mtime_ns: 7n }),
		fsOp(ATTRIBUTES, 'old', { mtime_ns: -1n }),
		fsOp(ATTRIBUTES, 'link', { mode: 0o777, uid: 3, gid: 4, mtime_ns: 11n }),
		fsOp(ATTRIBUTES, '', { mode: 0o711, mtime_ns: 13n }),
	];
	await launcher.ask('FS_APPLY', { root: root.path, ops }, 'OK');

	const of = (path: string) => lstatSync(join(root.path, path), { bigint: true });
	const su = of('usr/bin/su');
	assert.deepEqual(
		[su.mode & 0o7777n, su.uid, su.gid, su.atimeNs, su.mtimeNs],
		[0o4755n, 1n, 2n, 5_000_000_007n, 1_600_000_000_123_456_789n],
	);
	assert.deepEqual([of('usr/bin').mode & 0o7777n, of('usr/bin').mtimeNs], [0o1777n, 7n]);
	assert.equal(of('old').mtimeNs, -1n);
	assert.deepEqual([of('link').uid, of('link').gid, of('link').mtimeNs], [3n, 4n, 11n]);
	assert.deepEqual([of('').mode & 0o777n, of('').mtimeNs], [0o711n, 13n]);
	const after = lstatSync('/etc/passwd', { bigint: true });
	assert.deepEqual([after.mode, after.uid, after.mtimeNs], [passwd.mode, passwd.uid, passwd.mtimeNs]);
});

test('devices, fifos, whiteouts and hard links', async () => {
	await using launcher = await TestLauncher.start();
	using root = temporaryFolder();
	mkdirSync(join(root.path, 'dev'));
	mkdirSync(join(root.path, 'a'));
	writeFileSync(join(root.path, 'a/file'), 'x');
	symlinkSync('nowhere', join(root.path, 'a/link'));
	const ops = [
		fsOp(MKNOD, 'dev/null', { mode: 0o020666, device: (1n << 8n) | 3n }),
		fsOp(MKNOD, 'dev/whiteout', { mode: 0o020000 }),
		fsOp(MKNOD, 'dev/fifo', { mode: 0o010622, uid: 9 }),
		fsOp(LINK, 'dev/hard', { name: 'a/file' }),
		fsOp(LINK, 'dev/hard-to-link', { name: 'a/link' }),
	];
	await launcher.ask('FS_APPLY', { root: root.path, ops }, 'OK');
	const of = (path: string) => lstatSync(join(root.path, path));
	assert.deepEqual(
		[of('dev/null').isCharacterDevice(), of('dev/null').rdev, of('dev/null').mode & 0o777],
		[true, 0x103, 0o666],
	);
	assert.deepEqual([of('dev/whiteout').isCharacterDevice(), of('dev/whiteout').rdev], [true, 0]);
	assert.deepEqual(
		[of('dev/fifo').isFIFO(), of('dev/fifo').mode & 0o777, of('dev/fifo').uid],
		[true, 0o622, 9],
	);
	assert.equal(of('dev/hard').ino, of('a/file').ino);
	assert.deepEqual(
		[of('dev/hard-to-link').isSymbolicLink(), of('dev/hard-to-link').ino],
		[true, of('a/link').ino],
	);
});

test('file capabilities that follow the owner are kept', async () => {
	await using launcher = await TestLauncher.start();
	using root = temporaryFolder();
	writeFileSync(join(root.path, 'ping'), '');
	// struct vfs_cap_data, version 2: cap_net_raw, permitted and effective.
	const capability = Buffer.from('0100000200200000000000000000000000000000', 'hex');
	const ops = [
		fsOp(ATTRIBUTES, 'ping', { mode: 0o755, uid: 5 }),
		fsOp(SETXATTR, 'ping', { name: 'security.capability', value: capability }),
		fsOp(SETXATTR, 'ping', { name: 'trusted.overlay.test', value: Buffer.from('y') }),
	];
	await launcher.ask('FS_APPLY', { root: root.path, ops }, 'OK');
	const probe = buildProbe(root.path);
	const xattr = (name: string) => probe('xattr', join(root.path, 'ping'), name);
	assert.equal(xattr('security.capability'), capability.toString('hex'));
	assert.equal(xattr('trusted.overlay.test'), '79');
});

test('no path leaves the root', async () => {
	await using launcher = await TestLauncher.start();
	using outside = temporaryFolder();
	using root = temporaryFolder();
	writeFileSync(join(outside.path, 'file'), '');
	mkdirSync(join(root.path, 'dir/sub'), { recursive: true });
	symlinkSync(outside.path, join(root.path, 'away'));
	symlinkSync('dir', join(root.path, 'inside'));
	symlinkSync('/proc/self/root', join(root.path, 'magic'));
	writeFileSync(join(root.path, 'file'), '');
	const hostile = [
		'../file',
		'/etc/passwd',
		'away/file',
		'dir/../../file',
		'dir/..',
		'..',
		'dir/',
		'magic/etc/passwd',
		'inside/sub',
		'file/x',
		'missing/x',
	];
	for (const path of hostile) {
		for (const op of [
			fsOp(ATTRIBUTES, path, { uid: 77 }),
			fsOp(MKNOD, path, { mode: 0o010644 }),
			fsOp(SETXATTR, path, { name: 'user.x' }),
		]) {
			const asked = launcher.ask('FS_APPLY', { root: root.path, ops: [fsOp(ATTRIBUTES, 'dir'), op] }, 'OK');
			await assert.rejects(
				asked,
				(error: Error & { body?: { step: number } }) =>
					error.body?.step === 1 && error.message.includes(`'${path}'`),
				path,
			);
		}
		const asked = launcher.ask(
			'FS_APPLY',
			{ root: root.path, ops: [fsOp(LINK, 'new', { name: path })] },
			'OK',
		);
		await assert.rejects(
			asked,
			(error: Error & { body?: unknown }) => error.body !== undefined,
			`link to ${path}`,
		);
	}
	assert.equal(statSync(join(outside.path, 'file')).uid, 0);
	assert.notEqual(statSync('/etc/passwd').uid, 77);
});

test('a failing operation names itself and its path', async () => {
	await using launcher = await TestLauncher.start();
	using root = temporaryFolder();
	writeFileSync(join(root.path, 'there'), '');
	const apply = (op: Struct<'fs_op'>, path = root.path) =>
		launcher.ask('FS_APPLY', { root: path, ops: [fsOp(ATTRIBUTES, 'there'), op] }, 'OK');
	await assert.rejects(apply(fsOp(ATTRIBUTES, 'gone')), refused(2, "set the attributes of 'gone'", 1));
	await assert.rejects(
		apply(fsOp(MKNOD, 'there', { mode: 0o010644 })),
		refused(17, "make the node 'there'", 1),
	);
	await assert.rejects(apply(fsOp(MKNOD, 'x', { mode: 0o100644 })), refused(22, "'x'", 1));
	await assert.rejects(apply(fsOp(SETXATTR, 'there', { name: 'nonsense' })), refused(95, 'nonsense', 1));
	await assert.rejects(apply(fsOp(99, 'there')), refused(22, '99', 1));
	await assert.rejects(apply(fsOp(ATTRIBUTES, 'there'), '/nowhere'), refused(2, '/nowhere'));
});

test('TREE_REMOVE removes files, deep trees and folders without permissions, and is content with nothing', async () => {
	await using launcher = await TestLauncher.start();
	using folder = temporaryFolder();
	const tree = join(folder.path, 'tree');
	// 3,000 levels are beyond PATH_MAX: made step by step from within.
	mkdirSync(tree);
	const dig =
		"for (let i = 0; i < 3000; i++) { fs.writeFileSync('file', ''); fs.mkdirSync('dddddddddd'); process.chdir('dddddddddd'); }";
	execFileSync(process.execPath, ['-e', dig], { cwd: tree });
	mkdirSync(join(tree, 'closed/below'), { recursive: true });
	writeFileSync(join(tree, 'closed/below/file'), '');
	execFileSync('chmod', ['000', join(tree, 'closed')]);
	for (let index = 0; index < 2000; index++) writeFileSync(join(tree, `many-${index}`), '');
	for (let index = 0; index < 200; index++) mkdirSync(join(tree, `wide-${index}/a/b`), { recursive: true });
	await launcher.ask('TREE_REMOVE', { path: `${tree}/` }, 'OK');
	await launcher.ask('TREE_REMOVE', { path: tree }, 'OK');
	await launcher.ask('TREE_REMOVE', { path: `${tree}/missing/too` }, 'OK');
	writeFileSync(tree, '');
	await launcher.ask('TREE_REMOVE', { path: tree }, 'OK');
	assert.throws(() => lstatSync(tree), { code: 'ENOENT' });
	await assert.rejects(launcher.ask('TREE_REMOVE', { path: 'relative' }, 'OK'), refused(22));
	await assert.rejects(launcher.ask('TREE_REMOVE', { path: '/' }, 'OK'), refused(22));
	await assert.rejects(launcher.ask('TREE_REMOVE', { path: `${folder.path}/..` }, 'OK'), refused(22));
});

test('TREE_REMOVE follows no symlink', async () => {
	await using launcher = await TestLauncher.start();
	using outside = temporaryFolder();
	using folder = temporaryFolder();
	writeFileSync(join(outside.path, 'kept'), 'x');
	mkdirSync(join(folder.path, 'tree'));
	symlinkSync(outside.path, join(folder.path, 'tree/link'));
	symlinkSync(outside.path, join(folder.path, 'top'));
	await launcher.ask('TREE_REMOVE', { path: join(folder.path, 'tree') }, 'OK');
	await launcher.ask('TREE_REMOVE', { path: join(folder.path, 'top') }, 'OK');
	assert.equal(readFileSync(join(outside.path, 'kept'), 'utf8'), 'x');
});

test('TREE_REMOVE stops at a mount and names it', async () => {
	await using launcher = await TestLauncher.start();
	using folder = temporaryFolder();
	const point = join(folder.path, 'tree/a/mounted');
	mkdirSync(point, { recursive: true });
	execFileSync('mount', ['-t', 'tmpfs', 'none', point]);
	try {
		writeFileSync(join(point, 'kept'), 'x');
		await assert.rejects(
			launcher.ask('TREE_REMOVE', { path: join(folder.path, 'tree') }, 'OK'),
			refused(16, point),
		);
		await assert.rejects(launcher.ask('TREE_REMOVE', { path: point }, 'OK'), refused(16, point));
		assert.equal(readFileSync(join(point, 'kept'), 'utf8'), 'x');
		const usage = await launcher.ask('TREE_USAGE', { path: folder.path }, 'USAGE');
		assert.equal(usage.inodes, 4n);
	} finally {
		execFileSync('umount', [point]);
	}
	await launcher.ask('TREE_REMOVE', { path: join(folder.path, 'tree') }, 'OK');
});

test('TREE_REMOVE says when a file is immutable', async (t) => {
	await using launcher = await TestLauncher.start();
	using folder = temporaryFolder();
	const file = join(folder.path, 'tree/file');
	mkdirSync(join(folder.path, 'tree'));
	writeFileSync(file, '');
	try {
		execFileSync('chattr', ['+i', file], { stdio: 'ignore' });
	} catch {
		t.skip('this file system has no immutable flag');
		return;
	}
	await assert.rejects(
		launcher.ask('TREE_REMOVE', { path: join(folder.path, 'tree') }, 'OK'),
		refused(1, 'immutable'),
	);
	execFileSync('chattr', ['-i', file]);
});

test('TREE_USAGE counts blocks and inodes, hard links once', async () => {
	await using launcher = await TestLauncher.start();
	using folder = temporaryFolder();
	mkdirSync(join(folder.path, 'a/b'), { recursive: true });
	writeFileSync(join(folder.path, 'a/file'), Buffer.alloc(100_000));
	for (let index = 0; index < 50; index++) {
		writeFileSync(join(folder.path, `f${index}`), 'x');
		linkSync(join(folder.path, `f${index}`), join(folder.path, `a/b/g${index}`));
	}
	const du = (...options: string[]) =>
		BigInt(
			execFileSync('du', ['-s', ...options, folder.path])
				.toString()
				.split('\t')[0] ?? '',
		);
	const usage = await launcher.ask('TREE_USAGE', { path: folder.path }, 'USAGE');
	assert.deepEqual([usage.bytes, usage.inodes], [du('-B1'), du('--inodes')]);
	await assert.rejects(launcher.ask('TREE_USAGE', { path: '/nowhere/x' }, 'USAGE'), refused(2, '/nowhere/x'));
});

test('SYNC_FS', async () => {
	await using launcher = await TestLauncher.start();
	using folder = temporaryFolder();
	await launcher.ask('SYNC_FS', { path: folder.path }, 'OK');
	await assert.rejects(launcher.ask('SYNC_FS', { path: '/nowhere' }, 'OK'), refused(2, '/nowhere'));
});
