import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { parseGroup, parsePasswd } from './accounts.ts';
import { ImageTree } from './image-tree.ts';
import { mountOf, parseMountInfo } from './mount-table.ts';
import { resolveUser } from './users.ts';
import { imageVolumes } from './volumes.ts';

let folder: string;
beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), 'gantry-layers-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Makes layers, topmost first: path → content, a folder ends with a slash, `-> x` is a symlink. */
function layers(...contents: readonly Readonly<Record<string, string>>[]): string[] {
	return contents.map((files, index) => {
		const layer = join(folder, String(index));
		mkdirSync(layer);
		for (const [name, content] of Object.entries(files)) {
			const path = join(layer, name);
			mkdirSync(name.endsWith('/') ? path : join(path, '..'), { recursive: true });
			if (content.startsWith('-> ')) symlinkSync(content.slice(3), path);
			else if (!name.endsWith('/')) writeFileSync(path, content);
		}
		return layer;
	});
}

test('the topmost layer wins, folders merge, and what hides a folder ends it', async () => {
	const tree = new ImageTree(
		layers({ 'etc/a': 'top', data: 'a file now' }, { 'etc/a': 'low', 'etc/b': 'low', 'data/x': 'hidden' }),
	);
	assert.equal(await tree.readText('/etc/a', 100), 'top');
	assert.equal(await tree.readText('/etc/b', 100), 'low');
	assert.equal(await tree.readText('/data/x', 100), undefined);
	assert.equal(await tree.readText('/nothing', 100), undefined);
	assert.equal(await tree.readText('/etc', 100), undefined);
});

test('symlinks are followed inside the image only', async () => {
	writeFileSync(join(folder, 'secret'), 'of the node');
	const outside = join(folder, 'secret');
	const tree = new ImageTree(
		layers({
			'etc/passwd': '-> /nix/passwd',
			'nix/passwd': 'inside',
			up: '-> ../../../../../../../../nix/passwd',
			out: `-> ${outside}`,
			loop: '-> loop',
			through: '-> nix',
		}),
	);
	assert.equal(await tree.readText('/etc/passwd', 100), 'inside');
	assert.equal(await tree.readText('/up', 100), 'inside');
	assert.equal(await tree.readText('/through/passwd', 100), 'inside');
	assert.equal(await tree.readText('/out', 100), undefined);
	await assert.rejects(tree.readText('/loop', 100), /too many symlinks/);
});

test('a folder that was a symlink in a lower layer is not followed there', async () => {
	mkdirSync(join(folder, 'node'));
	writeFileSync(join(folder, 'node/passwd'), 'of the node');
	const tree = new ImageTree(layers({ 'etc/': '' }, { etc: `-> ${join(folder, 'node')}` }));
	assert.equal(await tree.readText('/etc/passwd', 100), undefined);
});

test('a file that is too large is not read', async () => {
	const tree = new ImageTree(layers({ big: 'x'.repeat(11) }));
	await assert.rejects(tree.readText('/big', 10), { condition: 'FAILED_PRECONDITION' });
});

test('accounts: broken lines are skipped', () => {
	// Ids that the kernel takes as another or as none.
	assert.deepEqual(parsePasswd('a:x:4294967296:0::/:\nb:x:4294967295:0::/:\nc:x:1:4294967296::/:'), []);
	assert.deepEqual(parseGroup('a:x:4294967296:\nb:x:4294967295:'), []);
	assert.deepEqual(parsePasswd('root:x:0:0:root:/root:/bin/sh\n\n#x\nbad:x:y:0::/:/\nno:x:5\n'), [
		{ name: 'root', uid: 0, gid: 0, home: '/root' },
	]);
	assert.deepEqual(parseGroup('a:x:1:root,web\nb:x:2:\nbad:x:\n'), [
		{ name: 'a', gid: 1, members: ['root', 'web'] },
		{ name: 'b', gid: 2, members: [] },
	]);
});

const PASSWD = 'root:x:0:0::/root:/bin/sh\nweb:x:1000:1001::/home/web:/bin/sh\n';
const GROUP = 'web:x:1001:\nlogs:x:2000:web\n';
const files = { readText: async (path: string) => (path === '/etc/passwd' ? PASSWD : GROUP) };
const NOBODY = {
	run_as_user: null,
	run_as_group: null,
	run_as_username: '',
	supplemental_groups: [],
	supplemental_groups_policy: 'Merge',
} as const;

const imageUsers: readonly (readonly [
	user: string,
	uid: number,
	gid: number,
	groups: readonly number[],
	home: string,
])[] = [
	['', 0, 0, [0], '/root'],
	['1000', 1000, 1001, [1001, 2000], '/home/web'],
	['1000:7', 1000, 7, [7, 2000], '/home/web'],
	['web', 1000, 1001, [1001, 2000], '/home/web'],
	['web:logs', 1000, 2000, [2000], '/home/web'],
	['4321', 4321, 0, [0], '/'],
	['4321:logs', 4321, 2000, [2000], '/'],
];
for (const [user, uid, gid, groups, home] of imageUsers) {
	test(`the image's user ${JSON.stringify(user)}`, async () => {
		assert.deepEqual(await resolveUser(undefined, user, files), { uid, gid, groups, home });
	});
}

test("the request's user goes before the image's", async () => {
	const resolve = async (change: object) => await resolveUser({ ...NOBODY, ...change }, 'web', files);
	assert.deepEqual((await resolve({ run_as_user: { value: '0' } })).uid, 0);
	assert.deepEqual((await resolve({ run_as_username: 'root' })).home, '/root');
	assert.deepEqual(
		(await resolve({ run_as_user: { value: '5' }, run_as_group: { value: '6' } })).groups,
		[6],
	);
	assert.deepEqual((await resolve({ supplemental_groups: ['9'] })).groups, [1001, 9, 2000]);
	assert.deepEqual(
		(await resolve({ supplemental_groups: ['9'], supplemental_groups_policy: 'Strict' })).groups,
		[1001, 9],
	);
	await assert.rejects(resolve({ run_as_group: { value: '6' } }), { condition: 'INVALID_ARGUMENT' });
	await assert.rejects(resolve({ run_as_username: 'ghost' }), /"ghost"/);
	await assert.rejects(resolve({ run_as_user: { value: '4294967295' } }), { condition: 'INVALID_ARGUMENT' });
});

test('names are looked up in the image alone', async () => {
	const none = { readText: async () => undefined };
	await assert.rejects(resolveUser(undefined, 'root', none), { condition: 'INVALID_ARGUMENT' });
	assert.deepEqual(await resolveUser(undefined, '', none), { uid: 0, gid: 0, groups: [0], home: '/' });
});

test('volumes keep mode of the image; one with files stays where they are', async () => {
	const [layer = ''] = layers({ 'empty/': '', 'full/file': 'x', 'a-file': 'x' });
	chmodSync(join(layer, 'empty'), 0o1777);
	const found = await imageVolumes(
		['/empty/', '/full', '/a-file', '/new', 'relative', '/'],
		new ImageTree([layer]),
		'/volumes',
	);
	assert.deepEqual(
		found.map(({ destination, source, mode }) => [destination, source, mode]),
		[
			['/empty', '/volumes/0', 0o1777],
			['/new', '/volumes/3', 0o755],
		],
	);
});

test('the mount that a path lies on, with what it takes part in', () => {
	const mounts = parseMountInfo(
		'1 0 8:1 / / rw - ext4 /dev/sda rw\n2 1 0:5 / /run rw,nosuid shared:7 - tmpfs tmpfs rw\n3 2 0:6 / /run/a\\040b rw shared:8 master:7 - tmpfs tmpfs rw\n4 2 0:6 / /run/x rw master:7 - tmpfs t rw\n',
	);
	assert.deepEqual(mountOf('/run/a b/c', mounts), { path: '/run/a b', shared: true, slave: true });
	assert.deepEqual(mountOf('/runner', mounts), { path: '/', shared: false, slave: false });
	assert.deepEqual(mountOf('/run/x', mounts), { path: '/run/x', shared: false, slave: true });
});
