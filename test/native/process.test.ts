import assert from 'node:assert/strict';
import { chownSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Op } from '../../runtime/shim/codec.ts';
import { CONSTANTS, OPS } from '../../runtime/shim/schema.ts';
import { until } from '../support/until.ts';
import { bind, CLONE, execPlan, Fixture, hooks, MS, mountFs, type PlanOptions, plan } from './support.ts';

const {
	HOOK_CREATE_CONTAINER,
	HOOK_CREATE_RUNTIME,
	HOOK_POSTSTART,
	HOOK_POSTSTOP,
	HOOK_PRESTART,
	HOOK_START_CONTAINER,
	STREAM_STDOUT,
} = CONSTANTS;
let shim: Fixture;
before(async () => {
	shim = await Fixture.open();
});
after(() => shim.close());

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
async function fails(id: string, options: Partial<PlanOptions>, op: number, message: RegExp): Promise<void> {
	await assert.rejects(
		shim.create(id, plan({ rootfs: shim.rootfs, id, argv: ['true'], ...options })),
		(error: Error & { op?: number }) => {
			assert.match(error.message, message);
			assert.equal(error.op, op);
			return true;
		},
	);
	assert.deepEqual(shim.children(), []);
	await shim.delete(id);
}
const user = (uid: number, gid: number, groups: number[] = [], umask = 0xffffffff): Op => ({
	op: 'user',
	uid,
	gid,
	groups,
	umask,
});
const NONE = { bounding: 0n, effective: 0n, permitted: 0n, inheritable: 0n, ambient: 0n };

test('user, groups, umask, and streams that the user may open again', async () => {
	const inside = [user(1000, 1001, [5, 6], 0o27), { op: 'capabilities', ...NONE } as Op];
	assert.deepEqual(
		await lines(
			'user',
			'id -u; id -g; id -G; umask; echo again > /dev/stdout; touch /tmp/none 2>&1 | grep -c denied',
			{ inside },
		),
		['1000', '1001', '1001 5 6', '0027', 'again', '1'],
	);
});

test('capabilities in all five sets, clamped', async () => {
	const three = 0b111n;
	const inside: Op[] = [
		user(1000, 1000),
		{
			op: 'capabilities',
			bounding: 0b1111n,
			effective: 0b1n,
			permitted: three,
			inheritable: three,
			ambient: 0b110n,
		},
		{ op: 'no_new_privileges' },
	];
	const out = await lines('caps', 'grep -E "^(Cap|NoNew)" /proc/self/status', { inside });
	const values = Object.fromEntries(out.map((line) => line.replace('\t', '').split(':')));
	/* What an exec by an ordinary user leaves: the ambient set, permitted and effective alike. */
	assert.deepEqual(values, {
		CapInh: '0000000000000007',
		CapPrm: '0000000000000006',
		CapEff: '0000000000000006',
		CapBnd: '000000000000000f',
		CapAmb: '0000000000000006',
		NoNewPrivs: '1',
	});
});

test('a seccomp filter, with and without no-new-privileges', async () => {
	/* ld nr; jeq 83 (mkdir); ret ERRNO(99); ret ALLOW */
	const words = [
		[0x20, 0, 0, 0],
		[0x15, 0, 1, 83],
		[0x06, 0, 0, 0x00050000 | 99],
		[0x06, 0, 0, 0x7fff0000],
	] as const;
	const program = Buffer.alloc(words.length * 8);
	for (const [index, [code, jt, jf, k]] of words.entries()) {
		program.writeUInt16LE(code, index * 8);
		program.writeUInt8(jt, index * 8 + 2);
		program.writeUInt8(jf, index * 8 + 3);
		program.writeUInt32LE(k, index * 8 + 4);
	}
	const seccomp: Op = { op: 'seccomp', program, flags: 0 };
	assert.match(
		(
			await lines('sec1', 'mkdir /tmp/x 2>&1; true', {
				inside: [{ op: 'no_new_privileges' }],
				late: [seccomp],
			})
		)[0] ?? '',
		/Cannot assign requested address/,
	);
	assert.match(
		(
			await lines('sec2', 'mkdir /tmp/x 2>&1; true', { inside: [seccomp, { op: 'capabilities', ...NONE }] })
		)[0] ?? '',
		/Cannot assign requested address/,
	);
	await fails(
		'sec3',
		{ inside: [{ op: 'seccomp', program: Buffer.from('1234567812345678'), flags: 0 }] },
		OPS.seccomp.code,
		/seccomp filter/,
	);
});

test('host name, sysctl, limits, OOM score, working folder, session, priorities', async () => {
	const inside: Op[] = [
		{ op: 'hostname', hostname: 'box', domain: 'example' },
		{ op: 'sysctl', name: 'net/ipv4/ip_forward', value: '1' },
		{ op: 'sysctl', name: 'kernel/shmmni', value: '123' },
		{ op: 'rlimit', resource: 7, soft: 100n, hard: 200n },
		{ op: 'rlimit', resource: 8, soft: 2n ** 64n - 1n, hard: 2n ** 64n - 1n },
		{ op: 'session_keyring', name: 'box' },
		{ op: 'io_priority', value: (2 << 13) | 6 },
		{ op: 'scheduler', policy: 0, nice: 5, priority: 0, flags: 0n, runtime: 0n, deadline: 0n, period: 0n },
		{ op: 'personality', persona: 8n },
		{ op: 'working_folder', path: '/made/here', create: 1 },
	];
	const script =
		'hostname; cat /proc/sys/kernel/domainname /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shmmni; ulimit -n; ulimit -Hn; cat /proc/self/oom_score_adj; pwd; cut -d" " -f19 /proc/self/stat 2>/dev/null; env';
	const out = await lines('props', script, { inside });
	assert.deepEqual(out.slice(0, 8), ['box', 'example', '1', '123', '100', '200', '500', '/made/here']);
	assert.ok(out.includes('PATH=/bin'));
});

test('a working folder outside the root is refused', async () => {
	await fails(
		'cwd1',
		{ inside: [{ op: 'working_folder', path: '/proc/self/fd/3', create: 0 }] },
		OPS.working_folder.code,
		/working folder/,
	);
	await fails(
		'cwd2',
		{ inside: [{ op: 'working_folder', path: '/nonesuch', create: 0 }] },
		OPS.working_folder.code,
		/\/nonesuch/,
	);
	assert.deepEqual(
		await lines('cwd3', 'pwd', { inside: [{ op: 'working_folder', path: '/../../tmp', create: 0 }] }),
		['/tmp'],
	);
});

test('what the kernel refuses is told with step and object', async () => {
	await fails(
		'f1',
		{ inside: [{ op: 'sysctl', name: 'net/nonesuch', value: '1' }] },
		OPS.sysctl.code,
		/net\/nonesuch/,
	);
	await fails(
		'f2',
		{ inside: [{ op: 'labels', apparmor: 'nonesuch-profile', selinux: '' }] },
		OPS.labels.code,
		/AppArmor/,
	);
	await fails('f3', { first: [{ op: 'exec', argv: [], env: [] }] }, OPS.exec.code, /no program/);
	await fails(
		'f4',
		{ spawn: { joins: [{ type: CLONE.NET, path: '', of: 'nobody' }] }, namespaces: CLONE.NEWNS },
		OPS.spawn.code,
		/container nobody/,
	);
	await fails(
		'f5',
		{ spawn: { cgroups: [{ path: '/sys/fs/cgroup/pids/nonesuch', v2: 0 }] } },
		OPS.spawn.code,
		/cannot join the cgroup/,
	);
	const made = plan({ rootfs: shim.rootfs, id: 'f6', argv: ['true'] });
	await assert.rejects(shim.create('f6', [{ op: 'cgroup_make', path: '/tmp/nonesuch/x' }, ...made]), {
		op: OPS.cgroup_make.code,
		step: 0,
	});
	await assert.rejects(
		shim.create('f6', [{ op: 'write_file', path: '/proc/nonesuch', value: '1', flags: 0 }, ...made]),
		{ errno: 2 },
	);
	await shim.create('f6', [
		{ op: 'write_file', path: '/proc/nonesuch', value: '1', flags: CONSTANTS.WRITE_IGNORE_MISSING },
		...made,
	]);
	await shim.delete('f6');
	await assert.rejects(shim.create('f7', [{ op: 'hostname', hostname: 'x', domain: '' }, ...made]), {
		errno: 22,
		step: 0,
	});
	await assert.rejects(shim.create('f7', made.slice(0, 2)), { errno: 22 });
	await shim.delete('f7');
	await shim.delete('f6');
	assert.deepEqual(shim.children(), []);
});

test('hooks of every phase, in order, in their namespaces, with the state', async () => {
	const folder = join(shim.folder, 'hooked');
	mkdirSync(folder, { recursive: true });
	const note = (name: string) =>
		`printf '${name} %s ' "$(cat | tr -d ' ')" >> ${folder}/order; readlink /proc/self/ns/net >> ${folder}/order`;
	const made = plan({
		rootfs: shim.rootfs,
		id: 'hook',
		argv: ['true'],
		mounts: [
			bind(folder, folder),
			hooks(HOOK_PRESTART, note('prestart')),
			hooks(HOOK_CREATE_RUNTIME, note('createRuntime')),
			hooks(HOOK_CREATE_CONTAINER, `echo createContainer $HOOK >> ${folder}/order`),
		],
		late: [{ ...hooks(HOOK_START_CONTAINER, `read s; echo "startContainer $s" >> ${folder}/order`) } as Op],
		last: [hooks(HOOK_POSTSTART, note('poststart'))],
	});
	const { pid } = await shim.create('hook', made);
	await shim.start('hook');
	await shim.control.exited('hook');
	const { hook_error } = await shim.delete('hook', [
		hooks(HOOK_POSTSTOP, `${note('poststop')}; echo broken >&2; exit 3`),
		hooks(HOOK_POSTSTOP, 'exit 4'),
	]);
	assert.match(hook_error, /exit code 3: broken.*exit code 4/);
	const order = readFileSync(join(folder, 'order'), 'utf8').trim().split('\n');
	assert.deepEqual(
		order.map((line) => line.split(' ')[0]),
		['prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststart', 'poststop'],
	);
	assert.ok(order[1]?.includes(`"pid":${pid},`));
	assert.ok(order[4]?.includes(`"pid":${pid},`));
	assert.ok(order[2]?.endsWith('yes'));
	assert.match(order[3] ?? '', /"ociVersion"/);
	assert.deepEqual(new Set([order[0], order[1], order[4]].map((line) => line?.split(' ').at(-1))).size, 1);
	await shim.delete('hook');
});

test('a hook that fails, hangs or cannot run fails the create with what it said', async () => {
	await fails(
		'h1',
		{ mounts: [hooks(HOOK_CREATE_RUNTIME, 'echo why >&2; exit 7')] },
		OPS.hooks.code,
		/exit code 7: why/,
	);
	await fails(
		'h2',
		{ mounts: [hooks(HOOK_CREATE_RUNTIME, 'sleep 555 & sleep 555', 100)] },
		OPS.hooks.code,
		/did not end within 100 ms/,
	);
	await fails('h3', { mounts: [hooks(HOOK_CREATE_CONTAINER, 'kill -9 $$')] }, OPS.hooks.code, /signal 9/);
	const missing = {
		...(hooks(HOOK_PRESTART, '') as Extract<Op, { op: 'hooks' }>),
		hooks: [{ path: '/nonesuch', args: [], env: [], timeout_ms: 0 }],
	};
	await fails('h4', { mounts: [missing] }, OPS.hooks.code, /cannot execute \/nonesuch/);
	await shim.create(
		'h5',
		plan({ rootfs: shim.rootfs, id: 'h5', argv: ['true'], late: [hooks(HOOK_START_CONTAINER, 'exit 5')] }),
	);
	await assert.rejects(shim.start('h5'), { op: OPS.hooks.code });
	await shim.delete('h5');
	await shim.create(
		'h6',
		plan({
			rootfs: shim.rootfs,
			id: 'h6',
			argv: ['sleep', '100'],
			last: [hooks(HOOK_POSTSTART, 'echo late >&2; exit 6')],
		}),
	);
	assert.match((await shim.start('h6')).hook_error, /exit code 6: late/);
	await shim.delete('h6');
});

test('a process that is killed while it is made', async () => {
	const made = plan({
		rootfs: shim.rootfs,
		id: 'killed',
		argv: ['true'],
		namespaces: CLONE.NEWNS,
		mounts: [hooks(HOOK_CREATE_CONTAINER, 'kill -9 $PPID; sleep 100')],
	});
	await assert.rejects(shim.create('killed', made), { errno: 10 });
	await shim.delete('killed');
	assert.deepEqual(shim.children(), []);
});

test('a create that is given up ends with its hook and all that the hook started', async () => {
	const started = join(shim.folder, 'started');
	const made = plan({
		rootfs: shim.rootfs,
		id: 'given-up',
		argv: ['true'],
		mounts: [hooks(HOOK_CREATE_RUNTIME, `sleep 987 & touch ${started}; sleep 987`)],
	});
	const creating = assert.rejects(shim.create('given-up', made), /./);
	while (!existsSync(started)) await new Promise((resolve) => setTimeout(resolve, 5));
	await shim.control.call('KILL', { id: 'given-up', signal: 9, all: 0 }, 'OK');
	await creating;
	while (shim.children().length > 0) await new Promise((resolve) => setTimeout(resolve, 5));
	await shim.delete('given-up');
});

const MAP = [{ container_id: 0, host_id: 200000, size: 65536 }];
test('a user namespace: mapped root, devices, file systems, an overlay root, and an exec into it', async () => {
	const folder = (name: string) => {
		const path = join(shim.folder, 'userns', name);
		mkdirSync(path, { recursive: true });
		return path;
	};
	const source = folder('source');
	writeFileSync(join(source, 'mine'), 'read\n');
	chownSync(join(source, 'mine'), 0, 0);
	const upper = folder('rw/upper');
	const work = folder('rw/work');
	chownSync(upper, 200000, 200000);
	const root: Op[] = [
		{ op: 'root_idmap', uid_map: MAP, gid_map: MAP },
		{ op: 'root_overlay', target: folder('root'), lowers: [shim.rootfs], upper, work, options: '' },
	];
	const id = 'userns';
	const made = plan({
		rootfs: shim.rootfs,
		id,
		argv: [
			'sh',
			'-c',
			'id -u; cat /proc/self/uid_map; stat -c %u /bin/busybox /m/mine; echo x > /dev/null && echo null; touch /new && stat -c %u /new; sleep 100',
		],
		namespaces: CLONE.USER | CLONE.NEWNS | CLONE.PID | CLONE.IPC | CLONE.UTS | CLONE.NET | CLONE.CGROUP,
		spawn: { uid_map: MAP, gid_map: MAP },
		root,
		mounts: [
			mountFs('sysfs', '/sys', MS.RDONLY),
			mountFs('mqueue', '/dev/mqueue'),
			bind(source, '/m', { uid_map: MAP, gid_map: MAP }),
		],
		inside: [
			{ op: 'mask_path', path: '/proc/keys' },
			{ op: 'mask_path', path: '/proc/sys' },
			{ op: 'hostname', hostname: 'mapped', domain: '' },
			{ op: 'sysctl', name: 'net/ipv4/ip_forward', value: '1' },
		],
	});
	const { pid } = await shim.create(id, made);
	await shim.start(id);
	while (shim.log(id).split('\n').length < 7) await new Promise((resolve) => setTimeout(resolve, 5));
	const out = shim
		.log(id)
		.split('\n')
		.filter(Boolean)
		.map((line) => line.split(' ').slice(3).join(' ').trim().replaceAll(/ +/g, ' '));
	assert.deepEqual(out, ['0', '0 200000 65536', '0', '0', 'null', '0']);
	assert.match(readFileSync(`/proc/${pid}/status`, 'utf8'), /^Uid:\t200000/m);
	const types = [CLONE.USER, CLONE.NEWNS, CLONE.PID, CLONE.IPC, CLONE.UTS, CLONE.NET, CLONE.CGROUP];
	const exec = await shim.exec(
		id,
		'e',
		execPlan(id, ['sh', '-c', 'id -u; hostname; ls /proc | grep -c "^[0-9]"'], [], types),
	);
	assert.equal((await exec.exited('e')).exit_code, 0);
	assert.match(exec.output(STREAM_STDOUT), /^0\nmapped\n[34]\n$/);
	/* A second container that joins the user namespace and makes its own pid and mount namespaces in it. */
	const second = plan({
		rootfs: shim.rootfs,
		id: 'joins',
		argv: ['sh', '-c', 'id -u; echo $$; hostname; cat /proc/self/uid_map'],
		namespaces: CLONE.NEWNS | CLONE.PID | CLONE.CGROUP,
		spawn: {
			joins: [CLONE.USER, CLONE.NET, CLONE.IPC, CLONE.UTS].map((type) => ({ type, path: '', of: id })),
		},
		root: [
			{ op: 'root_idmap', uid_map: MAP, gid_map: MAP },
			{
				op: 'root_overlay',
				target: folder('root'),
				lowers: [folder('empty'), shim.rootfs],
				upper: '',
				work: '',
				options: '',
			},
		],
	});
	assert.equal((await shim.run('joins', second)).exit_code, 0);
	assert.deepEqual(
		shim
			.log('joins')
			.split('\n')
			.filter(Boolean)
			.map((line) => line.split(' ').slice(3).join(' ').trim().replaceAll(/ +/g, ' ')),
		['0', '1', 'mapped', '0 200000 65536'],
	);
	await shim.delete('joins');
	await shim.delete(id);
	assert.ok(!existsSync(`/proc/${pid}`));
});

test('a shared pid namespace and all others of another container', async () => {
	await shim.create(
		'pod',
		plan({
			rootfs: shim.rootfs,
			id: 'pod',
			argv: ['sleep', '100'],
			inside: [{ op: 'hostname', hostname: 'pod', domain: '' }],
		}),
	);
	await shim.start('pod');
	const types = [CLONE.NET, CLONE.IPC, CLONE.UTS, CLONE.PID];
	const out = await lines('member', 'hostname; cat /proc/1/comm; test $$ -gt 1 && echo not first', {
		namespaces: CLONE.NEWNS | CLONE.CGROUP,
		spawn: { joins: types.map((type) => ({ type, path: '', of: 'pod' })) },
	});
	assert.deepEqual(out, ['pod', 'sleep', 'not first']);
	await shim.delete('pod');
});

test('a created container ends with its shim', async () => {
	const other = await Fixture.open();
	const { pid } = await other.create('last', plan({ rootfs: other.rootfs, id: 'last', argv: ['true'] }));
	process.kill(other.shimPid, 'SIGKILL');
	while (existsSync(`/proc/${pid}`)) await new Promise((resolve) => setTimeout(resolve, 5));
	await other.abandon('last');
});

test('what a program that restores leaves behind when it fails is killed', async () => {
	const id = 'unrestored';
	const made = plan({ rootfs: shim.rootfs, id, argv: [], namespaces: CLONE.NEWNS }).filter(
		({ op }) => !['pivot', 'wait_start', 'exec'].includes(op),
	);
	const restore: Op = {
		op: 'restore',
		argv: ['/bin/sh', '-c', 'sleep 1000 <&- >&- 2>&- & exit 1'],
		env: ['PATH=/usr/bin:/bin'],
		pid_file: `${shim.rootfs}/restored.pid`,
		mounts: [],
		folder: `${shim.rootfs}/mounts`,
		root_readonly: 0,
	};
	await assert.rejects(shim.create(id, [...made, restore]), { op: OPS.restore.code });
	await until('nothing of it is left', () => shim.children().length === 0);
	await shim.delete(id);
});
