import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lowerContainer } from './container.ts';
import { describeOp, describePlan } from './describe.ts';
import { context, layoutV1, sampleSpec } from './sample.ts';

const names = (plan: readonly { op: string }[]) => plan.map(({ op }) => op);

test('the plan of a CRI container, step by step', () => {
	const spec = sampleSpec({
		root: { path: 'rootfs', readonly: true },
		hostname: 'pod',
		mounts: [
			{ destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
			{
				destination: '/dev',
				type: 'tmpfs',
				source: 'tmpfs',
				options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
			},
			{
				destination: '/dev/pts',
				type: 'devpts',
				options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666'],
			},
			{ destination: '/dev/shm', source: '/dev/shm', options: ['rbind', 'rprivate'] },
			{ destination: '/data', type: 'bind', source: '/srv/data', options: ['rbind', 'ro', 'rro', 'rslave'] },
			{
				destination: '/sys/fs/cgroup',
				type: 'cgroup',
				source: 'cgroup',
				options: ['nosuid', 'noexec', 'nodev', 'ro'],
			},
		],
		hooks: {
			createRuntime: [{ path: '/bin/net', args: ['net', 'add'], timeout: 3 }],
			createContainer: [{ path: '/bin/inside' }],
			startContainer: [{ path: '/bin/last' }],
			poststart: [{ path: '/bin/after' }],
		},
		process: {
			cwd: '/work',
			terminal: true,
			user: { uid: 7, gid: 8, additionalGids: [9], umask: 0o22 },
			noNewPrivileges: true,
			oomScoreAdj: 100,
			capabilities: { bounding: ['CAP_KILL'], effective: ['CAP_KILL'], permitted: ['CAP_KILL'] },
			rlimits: [{ type: 'RLIMIT_NOFILE', soft: 1024, hard: -1 }],
		},
		linux: {
			namespaces: [
				{ type: 'mount' },
				{ type: 'pid' },
				{ type: 'uts' },
				{ type: 'cgroup' },
				{ type: 'network' },
				{ type: 'ipc', path: '/proc/1/ns/ipc' },
			],
			cgroupsPath: '/kubepods/pod1/gantry-c1',
			resources: {
				cpu: { shares: 1024, quota: 50000, period: 100000 },
				memory: { limit: 1048576 },
				pids: { limit: 10 },
			},
			sysctl: { 'net.ipv4.ip_forward': '1' },
			maskedPaths: ['/proc/kcore'],
			readonlyPaths: ['/proc/sys'],
			seccomp: { defaultAction: 'SCMP_ACT_ERRNO' },
		},
	});
	const plan = lowerContainer(spec, {
		...context,
		overlay: { lowers: ['/l2', '/l1'], upper: '/up', work: '/wk' },
		joins: [{ type: 'network', of: 'sandbox' }],
		mountsOf: { '/dev/shm': 'sandbox' },
		pins: [{ name: 'net', path: '/pin' }],
		folders: [{ path: '/up', mode: 0o755 }],
		seccompProgram: Buffer.alloc(16),
	});
	const controllers = '+cpu +cpuset +io +memory +pids';
	assert.deepEqual(
		describePlan(plan).map((line) => line.replace(/^ *\d+ +/, '')),
		[
			'make the folder /up (0755)',
			'make the folder /b/rootfs (0755)',
			`write ${controllers} to /cg/cgroup.subtree_control`,
			'make the cgroup /cg/kubepods',
			`write ${controllers} to /cg/kubepods/cgroup.subtree_control`,
			'make the cgroup /cg/kubepods/pod1',
			`write ${controllers} to /cg/kubepods/pod1/cgroup.subtree_control`,
			'make the cgroup /cg/kubepods/pod1/gantry-c1',
			'write 100 to /cg/kubepods/pod1/gantry-c1/cpu.weight',
			'write 50000 100000 to /cg/kubepods/pod1/gantry-c1/cpu.max',
			'write 1048576 to /cg/kubepods/pod1/gantry-c1/memory.max',
			'write 10 to /cg/kubepods/pod1/gantry-c1/pids.max',
			'make the process (new mount cgroup uts pid, joins network of sandbox, ipc of /proc/1/ns/ipc, 1 cgroup, oom_score_adj 100)',
			'pin the net namespace at /pin',
			'join a session keyring c1',
			'set the mount propagation to rec slave',
			'mount the overlay root at /b/rootfs (2 layers)',
			'mount proc at /proc (nosuid, nodev, noexec)',
			'mount tmpfs at /dev (nosuid, strictatime, mode=755,size=65536k)',
			'mount devpts at /dev/pts (nosuid, noexec, newinstance,ptmxmode=0666)',
			'bind /dev/shm at /dev/shm (of sandbox, recursive, rec, private)',
			'bind /srv/data at /data (recursive, read-only, recursively read-only, rec, slave)',
			'mount cgroup2 at /sys/fs/cgroup (rdonly, nosuid, nodev, noexec)',
			...['null', 'zero', 'full', 'random', 'urandom', 'tty'].map(
				(name) => `make the device /dev/${name} (0666)`,
			),
			'link /dev/ptmx to pts/ptmx',
			'link /dev/fd to /proc/self/fd',
			'link /dev/stdin to /proc/self/fd/0',
			'link /dev/stdout to /proc/self/fd/1',
			'link /dev/stderr to /proc/self/fd/2',
			'link /dev/core to /proc/kcore',
			'set the hostname pod',
			'set net.ipv4.ip_forward to 1',
			'run the createRuntime hooks (/bin/net)',
			'run the createContainer hooks (/bin/inside)',
			'make the folder /work in the root (0755)',
			'make /proc/sys read-only',
			'mask /proc/kcore',
			'open a terminal',
			'enter the root',
			'make the root read-only',
			'set RLIMIT_NOFILE to 1024:unlimited',
			'change to /work',
			'become user 7:8 (groups 9)',
			'keep kill',
			'give up new privileges',
			'wait for start',
			'run the startContainer hooks (/bin/last)',
			'install the system call filter (2 instructions)',
			'execute /bin/sh -c true',
			'run the poststart hooks (/bin/after)',
		],
	);
});

test('without no-new-privileges the filter is installed while the right to do so is still there', () => {
	const spec = sampleSpec({ linux: { seccomp: { defaultAction: 'SCMP_ACT_ALLOW' } } });
	const plan = names(lowerContainer(spec, { ...context, seccompProgram: Buffer.alloc(8) }));
	assert.deepEqual(plan.slice(plan.indexOf('user')), [
		'user',
		'seccomp',
		'capabilities',
		'wait_start',
		'exec',
	]);
});

test('a v1 plan makes the cgroup in every hierarchy before the process, and is a member of all', () => {
	const plan = lowerContainer(sampleSpec({ linux: { resources: { devices: [{ allow: false }] } } }), {
		...context,
		cgroups: layoutV1,
	});
	const spawnAt = plan.findIndex(({ op }) => op === 'spawn');
	assert.deepEqual(plan.slice(0, 6).map(describeOp), [
		'make the cgroup /cg/rest/gantry/gantry-c1',
		'make the cgroup /cg/cpu/gantry/gantry-c1',
		'make the cgroup /cg/memory/gantry/gantry-c1',
		'make the cgroup /cg/systemd/gantry/gantry-c1',
		'make the cgroup /cg/unified/gantry/gantry-c1',
		'write a to /cg/rest/gantry/gantry-c1/devices.deny',
	]);
	const spawn = plan[spawnAt];
	assert.ok(spawn?.op === 'spawn');
	assert.deepEqual(
		spawn.cgroups.map(({ v2 }) => v2),
		[0, 0, 0, 0, 1],
	);
});

test('in a user namespace ids are mapped, and layers idmapped', () => {
	const map = [{ containerID: 0, hostID: 100000, size: 65536 }];
	const spec = sampleSpec({
		linux: { namespaces: [{ type: 'mount' }, { type: 'user' }], uidMappings: map, gidMappings: map },
		mounts: [{ destination: '/v', source: '/srv', options: ['bind', 'idmap'] }],
	});
	const plan = lowerContainer(spec, { ...context, overlay: { lowers: ['/l'], upper: '/u', work: '/w' } });
	const lines = plan.map(describeOp);
	assert.ok(lines.includes('make the process (new mount user, ids 0→100000+65536, 1 cgroup)'));
	assert.ok(
		lines.indexOf('idmap the root (1 range)') <
			lines.findIndex((line) => line.startsWith('mount the overlay')),
	);
	assert.ok(lines.includes('bind /srv at /v (idmapped)'));
});

test('the state for hooks is JSON once the pid stands in it', () => {
	const spec = sampleSpec({
		annotations: { a: 'b' },
		hooks: { createRuntime: [{ path: '/h', timeout: 2 }] },
	});
	const hooks = lowerContainer(spec, context).find((op) => op.op === 'hooks');
	assert.ok(hooks?.op === 'hooks');
	assert.deepEqual(JSON.parse(`${hooks.state_head}42${hooks.state_tail}`), {
		ociVersion: '1.2.0',
		id: 'c1',
		status: 'creating',
		pid: 42,
		bundle: '/b',
		annotations: { a: 'b' },
	});
	assert.deepEqual(hooks.hooks, [{ path: '/h', args: ['/h'], env: [], timeout_ms: 2000 }]);
});

test('a bound /dev is left as it is', () => {
	const spec = sampleSpec({ mounts: [{ destination: '/dev', source: '/dev', options: ['rbind'] }] });
	const plan = names(lowerContainer(spec, context));
	assert.ok(!plan.includes('make_device') && !plan.includes('make_symlink'));
});

for (const [what, spec, message] of [
	['no process', { ...sampleSpec(), process: undefined as never }, /process: missing/],
	[
		'no mount namespace',
		sampleSpec({ linux: { namespaces: [{ type: 'pid' }] } }),
		/a mount namespace is needed/,
	],
	[
		'a namespace twice',
		sampleSpec({ linux: { namespaces: [{ type: 'mount' }, { type: 'mount' }] } }),
		/named twice/,
	],
	[
		'maps without a user namespace',
		sampleSpec({ linux: { uidMappings: [{ containerID: 0, hostID: 1, size: 1 }] } }),
		/need a user namespace/,
	],
	[
		'an unknown capability',
		sampleSpec({ process: { capabilities: { bounding: ['CAP_FLY'] } } }),
		/unknown capability CAP_FLY/,
	],
	[
		'an unknown limit',
		sampleSpec({ process: { rlimits: [{ type: 'RLIMIT_X', soft: 1, hard: 1 }] } }),
		/process.rlimits\[0\].type/,
	],
	[
		'soft above hard',
		sampleSpec({ process: { rlimits: [{ type: 'RLIMIT_CPU', soft: 2, hard: 1 }] } }),
		/above the hard one/,
	],
	['no arguments', sampleSpec({ process: { args: [] } }), /process.args/],
	['a relative cwd', sampleSpec({ process: { cwd: 'x' } }), /process.cwd/],
	['an odd environment', sampleSpec({ process: { env: ['A=b', 'oops'] } }), /process.env\[1\]/],
	[
		'a relative mount',
		sampleSpec({ mounts: [{ destination: 'x', type: 'proc' }] }),
		/mounts\[0\].destination/,
	],
	['a bind of nothing', sampleSpec({ mounts: [{ destination: '/x', type: 'bind' }] }), /mounts\[0\].source/],
	[
		'data on a bind',
		sampleSpec({ mounts: [{ destination: '/x', source: '/y', options: ['bind', 'size=1'] }] }),
		/does not know size=1/,
	],
	[
		'an idmap without maps',
		sampleSpec({ mounts: [{ destination: '/x', source: '/y', options: ['bind', 'idmap'] }] }),
		/idmap needs mappings/,
	],
	['a hostname without uts', sampleSpec({ hostname: 'x' }), /hostname: it needs a uts namespace/],
	[
		'a relative masked path',
		sampleSpec({ linux: { maskedPaths: ['x'], namespaces: [{ type: 'mount' }] } }),
		/linux.maskedPaths\[0\]/,
	],
	[
		'a cgroup path that climbs',
		sampleSpec({ linux: { cgroupsPath: '/a/../..', namespaces: [{ type: 'mount' }] } }),
		/it has "\.\." in it/,
	],
	[
		'a systemd path',
		sampleSpec({ linux: { cgroupsPath: 'a.slice:x:y', namespaces: [{ type: 'mount' }] } }),
		/systemd driver/,
	],
	[
		'a hook without timeout',
		sampleSpec({ hooks: { poststart: [{ path: '/x', timeout: 0 }] } }),
		/hooks.poststart\[0\].timeout/,
	],
	[
		'a hook with a timeout of years',
		sampleSpec({ hooks: { poststart: [{ path: '/x', timeout: 2 ** 32 }] } }),
		/hooks.poststart\[0\].timeout: .*4294966 seconds/,
	],
] as const) {
	test(`refused with the field's path: ${what}`, () => {
		assert.throws(() => lowerContainer(spec, context), { condition: 'INVALID_ARGUMENT', message });
	});
}
