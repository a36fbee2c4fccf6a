import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Op } from '../../runtime/shim/codec.ts';
import { OPS } from '../../runtime/shim/schema.ts';
import { bind, CLONE, Fixture, MS, mountFs, type PlanOptions, plan, teardown } from './support.ts';

let shim: Fixture;
before(async () => {
	shim = await Fixture.open();
});
after(() => shim.close());

/** Runs a script in a container and answers what it printed, by line. */
async function lines(id: string, script: string, options: Partial<PlanOptions> = {}): Promise<string[]> {
	const exit = await shim.run(id, plan({ rootfs: shim.rootfs, id, argv: ['sh', '-c', script], ...options }));
	const text = shim.log(id);
	await shim.delete(id);
	assert.equal(exit.exit_code, 0, text);
	return text
		.split('\n')
		.filter(Boolean)
		.map((line) => line.split(' ').slice(3).join(' '));
}
/** A create that fails at a step, after which nothing is left. */
async function fails(
	id: string,
	options: Partial<PlanOptions>,
	expected: { errno: number; op: number },
	message: RegExp,
): Promise<void> {
	const before = shim.children();
	await assert.rejects(
		shim.create(id, plan({ rootfs: shim.rootfs, id, argv: ['true'], ...options })),
		(error: Error) => {
			assert.match(error.message, message);
			assert.deepEqual(
				{ errno: (error as never as { errno: number }).errno, op: (error as never as { op: number }).op },
				expected,
			);
			return true;
		},
	);
	assert.deepEqual(shim.children(), before);
	await shim.delete(id);
}
function folder(...parts: string[]): string {
	const path = join(shim.folder, ...parts);
	mkdirSync(path, { recursive: true });
	return path;
}
const overlay = (id: string, more: Partial<Extract<Op, { op: 'root_overlay' }>> = {}): Op[] => [
	{
		op: 'root_overlay',
		target: folder(id, 'root'),
		lowers: [shim.rootfs],
		upper: folder(id, 'upper'),
		work: folder(id, 'work'),
		options: '',
		...more,
	},
];

test('an overlay root: writes land in upper, the host sees no mount', async () => {
	assert.deepEqual(
		await lines('ov', 'echo x > /tmp/new; grep -c "^overlay / overlay" /proc/self/mounts', {
			root: overlay('ov'),
		}),
		['1'],
	);
	assert.deepEqual(readdirSync(join(shim.folder, 'ov/upper/tmp')), ['new']);
	assert.deepEqual(readdirSync(join(shim.folder, 'ov/root')), []);
});

test('an overlay of a hundred layers, top first', async () => {
	const lowers = Array.from({ length: 100 }, (_, index) =>
		folder('layers', `a-rather-long-name-for-one-layer-${index}`),
	);
	for (const [index, lower] of lowers.entries()) writeFileSync(join(lower, 'who'), `${index}\n`);
	writeFileSync(join(lowers[99] as string, 'bottom'), 'yes\n');
	const root = overlay('many', { lowers: [...lowers, shim.rootfs] });
	assert.deepEqual(await lines('many', 'cat /who /bottom', { root }), ['0', 'yes']);
});

const image = (more: Partial<Extract<Op, { op: 'mount_image' }>> = {}): Op => ({
	op: 'mount_image',
	target: '/image',
	lowers: [folder('image-upper'), folder('image-lower')],
	sub_path: '',
	place: folder('image-place'),
	set: 0n,
	...more,
});

test('an image as a volume: merged, read-only, whole or a folder of it, and nothing on the host', async () => {
	writeFileSync(join(folder('image-lower', 'deep/er'), 'file'), 'below\n');
	writeFileSync(join(folder('image-upper', 'deep'), 'top'), 'top\n');
	symlinkSync('/deep', join(shim.folder, 'image-upper/link'));
	symlinkSync('../../../..', join(shim.folder, 'image-upper/out'));
	const mounts = [
		image(),
		image({ target: '/folder', sub_path: 'deep/er', set: MS.NOEXEC }),
		image({ target: '/link', sub_path: 'link' }),
		image({ target: '/out', sub_path: 'out' }),
	];
	const script = [
		'cat /image/deep/er/file /image/deep/top /folder/file /link/top /out/deep/top',
		'touch /image/x /folder/x 2>/dev/null || echo read-only',
		'grep " /folder " /proc/self/mountinfo | cut -d" " -f6',
	].join(';');
	assert.deepEqual(await lines('img', script, { mounts }), [
		...['below', 'top', 'below', 'top', 'top'],
		'read-only',
		'ro,noexec,relatime',
	]);
	assert.deepEqual(readdirSync(join(shim.folder, 'image-place')), []);
	await fails(
		'imgmissing',
		{ mounts: [image({ sub_path: 'deep/none' })] },
		{ errno: 2, op: OPS.mount_image.code },
		/cannot open the folder deep\/none/,
	);
	await fails(
		'imgfile',
		{ mounts: [image({ sub_path: 'deep/top' })] },
		{ errno: 20, op: OPS.mount_image.code },
		/cannot open the folder deep\/top/,
	);
	await fails(
		'imglayer',
		{ mounts: [image({ lowers: ['/nonesuch', folder('image-lower')] })] },
		{ errno: 2, op: OPS.mount_image.code },
		/nonesuch/,
	);
});

test('binds: read-only, flags, files, recursion, propagation', async () => {
	const source = folder('source');
	writeFileSync(join(source, 'file'), 'content\n');
	const mounts = [
		bind(source, '/mnt/ro', { set: MS.RDONLY | MS.NOSUID | MS.NOEXEC, propagation: MS.PRIVATE | MS.REC }),
		bind(join(source, 'file'), '/etc/one', { set: MS.RDONLY }),
		bind(source, '/mnt/rw'),
	];
	const out = await lines(
		'binds',
		'cat /etc/one; touch /mnt/ro/x 2>&1; touch /etc/one 2>&1; touch /mnt/rw/x; grep " /mnt/ro " /proc/self/mounts',
		{ mounts },
	);
	assert.equal(out[0], 'content');
	assert.match(out[1] ?? '', /Read-only/);
	assert.match(out[2] ?? '', /Read-only/);
	assert.match(out[3] ?? '', / ro,nosuid,noexec/);
	assert.ok(readdirSync(source).includes('x'));
});

test('recursive read-only covers what is mounted below', async () => {
	const top = folder('rro');
	mkdirSync(join(top, 'below'));
	execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', join(top, 'below')]);
	try {
		const out = await lines('rro', 'touch /plain/below/x && echo wrote; touch /all/below/x 2>&1; true', {
			mounts: [
				bind(top, '/plain', { recursive: 1, set: MS.RDONLY }),
				bind(top, '/all', { recursive: 1, set: MS.RDONLY, recursive_readonly: 1 }),
			],
		});
		assert.equal(out[0], 'wrote');
		assert.match(out[1] ?? '', /Read-only/);
	} finally {
		execFileSync('umount', ['-l', join(top, 'below')]);
	}
});

test('a target behind symlinks of the image stays in the root', async () => {
	const root = folder('links', 'rootfs');
	execFileSync('cp', ['-a', `${shim.rootfs}/.`, root]);
	symlinkSync('/../../../../etc', join(root, 'up'));
	symlinkSync('../../../../../../tmp/dangling-native/deep', join(root, 'dangling'));
	symlinkSync('/proc/self', join(root, 'sneaky'));
	const source = folder('links', 'source');
	writeFileSync(join(source, 'here'), '');
	const bound = [{ op: 'root_bind', source: root, target: root, readonly: 0 } as Op];
	const out = await lines('links', 'ls /etc/vol /tmp/dangling-native/deep', {
		root: bound,
		mounts: [bind(source, '/up/vol'), bind(source, '/dangling')],
	});
	assert.deepEqual(out.filter((line) => line === 'here').length, 2);
	await fails(
		'sneaky',
		{ root: bound, mounts: [bind(source, '/sneaky/attr')] },
		{ errno: 1, op: OPS.mount_bind.code },
		/symlink of the image/,
	);
});

test('proc is not mounted through a symlink', async () => {
	const root = folder('badproc', 'rootfs');
	execFileSync('cp', ['-a', `${shim.rootfs}/.`, root]);
	rmSync(join(root, 'proc'), { recursive: true });
	symlinkSync('/tmp', join(root, 'proc'));
	await fails(
		'badproc',
		{ root: [{ op: 'root_bind', source: root, target: root, readonly: 0 }] },
		{ errno: 40, op: OPS.mount_fs.code },
		/symlink of the image/,
	);
});

test('masked and read-only paths, read-only root', async () => {
	const inside: Op[] = [
		...['/proc/keys', '/proc/acpi', '/proc/nonesuch', '/etc', '/home'].map(
			(path) => ({ op: 'mask_path', path }) as Op,
		),
		...['/proc/sys', '/nonesuch'].map((path) => ({ op: 'readonly_path', path }) as Op),
		{ op: 'root_readonly' },
	];
	const out = await lines(
		'mask',
		'wc -c < /proc/keys; ls /etc; ls /home; touch /home/x 2>&1; echo 1 2>&1 > /proc/sys/vm/drop_caches; touch /x 2>&1; echo ok; test -c /proc/keys && echo char',
		{ inside },
	);
	assert.equal(out[0], '0');
	assert.match(out[1] ?? '', /home\/x: Read-only/);
	assert.match(out[2] ?? '', /drop_caches: Read-only/);
	assert.match(out[3] ?? '', /x: Read-only/);
	assert.deepEqual(out.slice(4), ['ok', 'char']);
});

test('file systems with options; devices; symlinks; folders', async () => {
	const mounts: Op[] = [
		mountFs('tmpfs', '/t', MS.NOEXEC | MS.RDONLY, 'size=64k,mode=1777'),
		mountFs('mqueue', '/dev/mqueue'),
		mountFs('sysfs', '/sys', MS.RDONLY),
		{ op: 'make_device', path: '/dev/sub/zero', mode: 0o020600, device: 261n, uid: 7, gid: 8 },
		{ op: 'make_device', path: '/dev/sub/zero', mode: 0o020600, device: 261n, uid: 7, gid: 8 },
		{ op: 'make_device', path: '/dev/fifo', mode: 0o010644, device: 0n, uid: 0, gid: 0 },
		{ op: 'make_symlink', path: '/dev/stdout', content: '/proc/self/fd/1' },
		{ op: 'make_folder_in', path: '/a/b/c', mode: 0o2750, uid: 3, gid: 4 },
	];
	const out = await lines(
		'fs',
		'stat -c "%A %a %u:%g %t,%T" /t /dev/sub/zero /dev/fifo /a/b/c /dev/null; ls -d /sys/class; head -c 3 /dev/sub/zero | wc -c',
		{ mounts, root: overlay('fs') },
	);
	assert.deepEqual(out, [
		'drwxrwxrwt 1777 0:0 0,0',
		'crw------- 600 7:8 1,5',
		'prw-r--r-- 644 0:0 0,0',
		'drwxr-s--- 2750 3:4 0,0',
		'crw-rw-rw- 666 0:0 1,3',
		'/sys/class',
		'3',
	]);
});

test('another container gives its /dev/shm, and it is one and the same', async () => {
	await shim.create(
		'giver',
		plan({
			rootfs: shim.rootfs,
			id: 'giver',
			argv: ['sh', '-c', 'sleep 100'],
			mounts: [mountFs('tmpfs', '/dev/shm')],
		}),
	);
	await shim.start('giver');
	assert.deepEqual(
		await lines('taker', 'echo shared > /dev/shm/x; cat /dev/shm/x', {
			mounts: [bind('/dev/shm', '/dev/shm', { of: 'giver' })],
		}),
		['shared'],
	);
	assert.deepEqual(
		await lines('taker2', 'cat /dev/shm/x', { mounts: [bind('/dev/shm', '/dev/shm', { of: 'giver' })] }),
		['shared'],
	);
	await fails(
		'taker3',
		{ mounts: [bind('/dev/nonesuch', '/x', { of: 'giver' })] },
		{ errno: 2, op: OPS.mount_bind.code },
		/\/dev\/nonesuch of container giver/,
	);
	await fails(
		'taker4',
		{ mounts: [bind('/dev/shm', '/x', { of: 'nobody' })] },
		{ errno: 3, op: OPS.mount_bind.code },
		/container nobody, which is not here/,
	);
	await shim.delete('giver');
	await fails(
		'taker5',
		{ mounts: [bind('/dev/shm', '/x', { of: 'giver' })] },
		{ errno: 3, op: OPS.mount_bind.code },
		/giver/,
	);
});

test('an idmapped bind shows the mapped owner', async () => {
	const source = folder('mapped');
	writeFileSync(join(source, 'file'), '');
	const map = [{ container_id: 0, host_id: 5000, size: 1000 }];
	assert.deepEqual(
		await lines('idmap', 'stat -c %u /m/file', {
			mounts: [bind(source, '/m', { uid_map: map, gid_map: map })],
		}),
		['5000'],
	);
	await fails(
		'idproc',
		{ mounts: [bind('/proc', '/m', { uid_map: map, gid_map: map })] },
		{ errno: 22, op: OPS.mount_bind.code },
		/cannot be idmapped/,
	);
});

test('what is quoted in mount options is one value, without its quotes', async () => {
	assert.deepEqual(
		await lines('quoted', 'stat -c %a /m; grep -o size=128k /proc/self/mounts', {
			mounts: [mountFs('tmpfs', '/m', 0n, 'size="128k","mode"="0701"')],
		}),
		['701', 'size=128k'],
	);
	// A comma within quotes parts no options; the file system gets the value whole and does not like it.
	await fails(
		'comma',
		{ mounts: [mountFs('tmpfs', '/m', 0n, 'mode="0700,size=1k"')] },
		{ errno: 22, op: OPS.mount_fs.code },
		/mode=0700,size=1k/,
	);
});

test('mounts that cannot be', async () => {
	await fails(
		'nosource',
		{ mounts: [bind('/nonesuch', '/m')] },
		{ errno: 2, op: OPS.mount_bind.code },
		/cannot bind \/nonesuch/,
	);
	await fails(
		'nofs',
		{ mounts: [mountFs('nosuchfs', '/m')] },
		{ errno: 19, op: OPS.mount_fs.code },
		/no file system nosuchfs/,
	);
	await fails(
		'badoption',
		{ mounts: [mountFs('tmpfs', '/m', 0n, 'colour=blue')] },
		{ errno: 22, op: OPS.mount_fs.code },
		/colour=blue.*Unknown parameter/,
	);
	await fails(
		'filefolder',
		{ mounts: [bind('/etc/passwd', '/etc')] },
		{ errno: 20, op: OPS.mount_bind.code },
		/one is a folder/,
	);
	await fails(
		'through',
		{ mounts: [bind('/etc', '/etc/passwd/x')] },
		{ errno: 20, op: OPS.mount_bind.code },
		/cannot reach/,
	);
	await fails(
		'norootfs',
		{ root: [{ op: 'root_bind', source: '/nonesuch', target: '/nonesuch', readonly: 0 }] },
		{ errno: 2, op: OPS.root_bind.code },
		/root \/nonesuch/,
	);
	await fails(
		'nolower',
		{ root: overlay('nolower', { lowers: ['/nonesuch'] }) },
		{ errno: 2, op: OPS.root_overlay.code },
		/\/nonesuch/,
	);
	await fails(
		'samenode',
		{ mounts: [{ op: 'make_device', path: '/dev/null', mode: 0o020666, device: 261n, uid: 0, gid: 0 }] },
		{ errno: 17, op: OPS.make_device.code },
		/something else/,
	);
});

test('no_pivot, and a root propagation that is asked for', async () => {
	const made = plan({ rootfs: shim.rootfs, id: 'move', argv: ['ls', '/'] }).map(
		(op): Op => (op.op === 'pivot' ? { op: 'pivot', no_pivot: 1 } : op),
	);
	assert.equal((await shim.run('move', made)).exit_code, 0);
	assert.match(shim.log('move'), /F bin\n/);
	await shim.delete('move');
	const out = await lines('prop', 'grep " / / " /proc/self/mountinfo', {
		inside: [{ op: 'root_propagation', flags: MS.SHARED | MS.REC }],
		root: overlay('prop'),
	});
	assert.match(out[0] ?? '', /shared:/);
});

test('a network namespace is pinned and unpinned', async () => {
	const path = join(shim.folder, 'netns');
	await shim.create(
		'pin',
		plan({
			rootfs: shim.rootfs,
			id: 'pin',
			argv: ['true'],
			first: [{ op: 'pin_namespace', name: 'net', path }],
		}),
	);
	const pinned = statSync(path).ino;
	assert.notEqual(pinned, statSync('/proc/self/ns/net').ino);
	const joined = { joins: [{ type: CLONE.NET, path, of: '' }] };
	assert.equal(
		(
			await lines('pinned', 'readlink /proc/self/ns/net', {
				namespaces: CLONE.NEWNS | CLONE.PID,
				spawn: joined,
			})
		)[0],
		`net:[${pinned}]`,
	);
	await fails(
		'wrongns',
		{ namespaces: CLONE.NEWNS, spawn: { joins: [{ type: CLONE.UTS, path, of: '' }] } },
		{ errno: 22, op: OPS.spawn.code },
		/is a network namespace, not a uts/,
	);
	await fails(
		'nons',
		{ namespaces: CLONE.NEWNS, spawn: { joins: [{ type: CLONE.UTS, path: shim.rootfs, of: '' }] } },
		{ errno: 22, op: OPS.spawn.code },
		/is not a namespace/,
	);
	await shim.delete('pin', [...teardown('pin'), { op: 'unmount', path, remove: 1 }]);
	assert.throws(() => statSync(path));
	await shim.delete('pin', [{ op: 'unmount', path, remove: 1 }]);
});
