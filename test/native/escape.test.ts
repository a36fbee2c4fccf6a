/** Known ways out of a container, tried against a real shim. Needs root. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
	chmodSync,
	chownSync,
	copyFileSync,
	mkdirSync,
	readFileSync,
	rmSync,
	statSync,
	symlinkSync,
	writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Op } from '../../runtime/shim/codec.ts';
import { CONSTANTS } from '../../runtime/shim/schema.ts';
import {
	bind,
	CGROUPS,
	CLONE,
	execPlan,
	Fixture,
	INSTANCE,
	mountFs,
	type PlanOptions,
	plan,
} from './support.ts';

let shim: Fixture;
before(async () => {
	shim = await Fixture.open();
	copyFileSync('/bin/busybox', join(shim.folder, 'busybox'));
	chmodSync(join(shim.folder, 'busybox'), 0o755);
});
after(() => shim.close());

/** The host's files, by way of each descriptor that a process may have when its program is executed. */
const throughDescriptors = (): string[] =>
	Array.from({ length: 16 }, (_, index) => `/proc/self/fd/${index + 3}/..${shim.folder}/busybox`);

const ALLOW_ALL: Op = { op: 'seccomp', program: Buffer.from('060000000000ff7f', 'hex'), flags: 0 };

/* CVE-2024-21626 */
const orders: readonly (readonly [name: string, options: Partial<PlanOptions>])[] = [
	['no filter', {}],
	['a filter before the start', { inside: [ALLOW_ALL] }],
	['a filter after the start', { late: [ALLOW_ALL] }],
];
for (const [name, options] of orders)
	test(`no descriptor leads the program's path to the host: ${name}`, async () => {
		for (const path of throughDescriptors()) {
			await shim.create('fd', plan({ rootfs: shim.rootfs, id: 'fd', argv: [path, 'true'], ...options }));
			await assert.rejects(shim.start('fd'), /cannot execute/, path);
			await shim.delete('fd');
		}
	});

test('no descriptor leads the interpreter of a script of the image to the host', async () => {
	for (const path of throughDescriptors()) {
		writeFileSync(join(shim.rootfs, 'script'), `#!${path} true\n`);
		chmodSync(join(shim.rootfs, 'script'), 0o755);
		await shim.create('sc', plan({ rootfs: shim.rootfs, id: 'sc', argv: ['/script'] }));
		await assert.rejects(shim.start('sc'), /cannot execute/, path);
		await shim.delete('sc');
	}
});

test('no descriptor leads a startContainer hook to the host', async () => {
	for (const path of throughDescriptors()) {
		const hook = { path, args: ['sh', '-c', 'true'], env: [], timeout_ms: 0 };
		const late: Op[] = [
			{
				op: 'hooks',
				phase: CONSTANTS.HOOK_START_CONTAINER,
				hooks: [hook],
				state_head: '{"pid":',
				state_tail: '}',
			},
		];
		await shim.create('hk', plan({ rootfs: shim.rootfs, id: 'hk', argv: ['true'], late }));
		await assert.rejects(shim.start('hk'), /cannot execute/, path);
		await shim.delete('hk');
	}
});

for (const [name, more] of [
	['no filter', []],
	['a filter', [ALLOW_ALL]],
] as const)
	test(`no descriptor leads an exec to the host: ${name}`, async () => {
		await shim.create('ex', plan({ rootfs: shim.rootfs, id: 'ex', argv: ['sleep', '1000'] }));
		await shim.start('ex');
		for (const [index, path] of throughDescriptors().entries())
			await assert.rejects(
				shim.exec('ex', `e${index}`, execPlan('ex', [path, 'true'], more)),
				/cannot execute/,
				path,
			);
		await shim.delete('ex');
	});

/** A place of the host whose mounts every peer gets, as all of them are where systemd runs. */
function sharedMount(source: string, place: string): () => void {
	execFileSync('mount', ['--bind', source, place]);
	execFileSync('mount', ['--make-shared', place]);
	return () => execFileSync('umount', ['-R', place]);
}

test('what a user namespace mounts below binds, devices and its root does not appear on the host', async () => {
	const maps = [{ container_id: 0, host_id: 100000, size: 65536 }];
	const root = join(shim.folder, 'shared-root');
	const volume = join(shim.folder, 'volume');
	const device = join(shim.folder, 'null');
	for (const folder of [root, join(volume, 'sub')]) mkdirSync(folder, { recursive: true });
	writeFileSync(device, '');
	const undo = [
		sharedMount(shim.rootfs, root),
		sharedMount(volume, volume),
		sharedMount('/dev/null', device),
	];
	chownSync(root, 100000, 100000);
	for (const folder of ['dev', 'proc', 'tmp']) chownSync(join(root, folder), 100000, 100000);
	try {
		const made = plan({
			rootfs: root,
			id: 'peer',
			namespaces: CLONE.USER | CLONE.NEWNS | CLONE.PID | CLONE.IPC | CLONE.UTS | CLONE.NET,
			spawn: { uid_map: maps, gid_map: maps },
			mounts: [
				bind(volume, '/vol'),
				{ op: 'make_device', path: device, mode: 0o020666, device: 259n, uid: 0, gid: 0 },
			],
			argv: [
				'sh',
				'-c',
				`mount -t tmpfs x /vol/sub && mount --bind /bin/busybox ${device} && mount -t tmpfs x /tmp && echo done && sleep 1000`,
			],
		});
		await shim.create('peer', made);
		await shim.start('peer');
		while (!shim.log('peer').includes('\n')) await new Promise((resolve) => setTimeout(resolve, 5));
		assert.match(shim.log('peer'), /done/);
		const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
		assert.equal(mounts.filter((line) => line.includes(shim.folder)).length, undo.length);
	} finally {
		await shim.delete('peer');
		for (const one of undo) one();
	}
});

test('a log is a regular file: no symlink is followed, and a FIFO does not hold the shim up', async () => {
	const victim = join(shim.folder, 'victim');
	writeFileSync(victim, '');
	const made = (id: string) => plan({ rootfs: shim.rootfs, id, argv: ['sh', '-c', 'echo evil; sleep 1000'] });
	await shim.create('log', made('log'));
	const log_path = shim.logPath('log');
	const reopen = () => shim.control.call('REOPEN_LOG', { id: 'log', log_path }, 'OK');
	rmSync(log_path);
	symlinkSync(victim, log_path);
	await assert.rejects(reopen(), /cannot open the log/);
	await assert.rejects(shim.create('log2', made('log2'), { log_path }), /cannot open the log/);
	rmSync(log_path);
	execFileSync('mkfifo', [log_path]);
	await assert.rejects(reopen(), /cannot open the log/);
	await assert.rejects(shim.create('log2', made('log2'), { log_path }), /cannot open the log/);
	await assert.rejects(shim.create('log2', made('log2'), { log_path: '/dev/null' }), /no regular file/);
	await shim.start('log');
	await shim.delete('log');
	assert.equal(readFileSync(victim, 'utf8'), '');
});

test('the processes of a cgroup with a hidden name are found and killed', async () => {
	await shim.create('hid', plan({ rootfs: shim.rootfs, id: 'hid', argv: ['sleep', '1000'] }));
	await shim.start('hid');
	for (const { root } of CGROUPS)
		mkdirSync(join(root, `${INSTANCE}-hid/.hidden/.deeper`), { recursive: true });
	await shim.delete('hid');
});

test('4294967295 is no user: the kernel would leave the process root', async () => {
	for (const [uid, gid] of [
		[0xffffffff, 1],
		[1, 0xffffffff],
	] as const) {
		const inside: Op[] = [{ op: 'user', uid, gid, groups: [], umask: 0o22 }];
		await assert.rejects(
			shim.create('uid', plan({ rootfs: shim.rootfs, id: 'uid', argv: ['id'], inside })),
			/no id/,
		);
		await shim.delete('uid');
	}
});

/* CVE-2025-31133: a volume that another container writes to lies at /dev, and its null is no null device. */
for (const where of ['mounts', 'inside'] as const)
	test(`what is masked with is the host's null device, whatever /dev holds: masked in ${where}`, async () => {
		const id = `mask-${where}`;
		const dev = join(shim.folder, id, 'dev');
		mkdirSync(dev, { recursive: true });
		symlinkSync('/proc/sysrq-trigger', join(dev, 'null'));
		const over: Op[] = [bind(dev, '/dev')];
		const masks: Op[] = [{ op: 'mask_path', path: '/proc/keys' }];
		const made = plan({
			rootfs: shim.rootfs,
			id,
			mounts: where === 'mounts' ? [...over, ...masks] : over,
			inside: where === 'inside' ? masks : [],
			argv: ['stat', '-c', '%t:%T', '/proc/keys'],
		});
		assert.equal((await shim.run(id, made)).exit_code, 0);
		assert.match(shim.log(id), / 1:3\n$/);
		await shim.delete(id);
	});

/* CVE-2025-52565, CVE-2019-19921: the targets of /dev/console and of what lies on /proc are no symlinks. */
test('the console is not bound over what a symlink of /dev leads to', async () => {
	const dev = join(shim.folder, 'console-dev');
	mkdirSync(join(dev, 'pts'), { recursive: true });
	for (const [index, target] of ['/proc/sysrq-trigger', '/nonesuch'].entries()) {
		rmSync(join(dev, 'console'), { force: true });
		symlinkSync(target, join(dev, 'console'));
		const id = `tty${index}`;
		const mounts: Op[] = [
			bind(dev, '/dev'),
			mountFs('devpts', '/dev/pts', 0n, 'newinstance,ptmxmode=0666,mode=0620'),
			{ op: 'terminal', columns: 80, rows: 24, console: 1 },
		];
		await assert.rejects(
			shim.create(id, plan({ rootfs: shim.rootfs, id, mounts, argv: ['true'] }), { terminal: 1 }),
			/cannot make \/dev\/console/,
		);
		await shim.delete(id);
	}
});

test("root in a container cannot change the host's null device, by its streams or by masked files", async () => {
	const mode = () => statSync('/dev/null').mode & 0o7777;
	const before = mode();
	const script =
		'for node in /proc/self/fd/0 /proc/keys; do chmod 600 $node 2>&1 | grep -o "Read-only.*"; echo x > $node && echo written; done';
	const made = plan({
		rootfs: shim.rootfs,
		id: 'devnull',
		inside: [{ op: 'mask_path', path: '/proc/keys' }],
		argv: ['sh', '-c', script],
	});
	try {
		await shim.run('devnull', made);
		const lines = shim.log('devnull').split('\n').filter(Boolean);
		assert.deepEqual(
			lines.map((line) => line.split(' ').slice(3).join(' ')),
			['Read-only file system', 'written', 'Read-only file system', 'written'],
		);
		assert.equal(mode(), before);
	} finally {
		chmodSync('/dev/null', before);
		await shim.delete('devnull');
	}
});
