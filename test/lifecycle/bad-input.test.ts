/** What cannot be honoured is refused with the right condition, names the field, and leaves nothing behind. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Condition } from '#base/errors.ts';
import type {
	ContainerConfigInit,
	LinuxContainerSecurityContextInit,
	PodSandboxConfigInit,
	UpdateContainerResourcesRequestInit,
} from '#cri-api';
import { containerConfig, failureOf, TestBed } from './harness.ts';

let bed: TestBed;
let pod: string;
let untouched: readonly string[];

before(async () => {
	bed = await TestBed.start();
	pod = await bed.runPod();
	untouched = bed.leftObjects();
});
after(async () => await bed[Symbol.asyncDispose]());

type Case<T> = readonly [what: string, config: T, condition: Condition, message: RegExp];

const security = (context: LinuxContainerSecurityContextInit): ContainerConfigInit => ({
	linux: { security_context: { namespace_options: { pid: 'CONTAINER' }, ...context } },
});
const metadata = { name: 'pod', namespace: 'tests', uid: 'uid', attempt: 0 };
const id = (container_id: number, host_id: number, length: number) => ({ container_id, host_id, length });
const options = (linux: NonNullable<PodSandboxConfigInit['linux']>): PodSandboxConfigInit => ({ linux });

const SANDBOXES: readonly Case<PodSandboxConfigInit>[] = [
	['no metadata', { metadata: null }, 'INVALID_ARGUMENT', /metadata is missing/],
	['empty metadata', { metadata: {} }, 'INVALID_ARGUMENT', /metadata\.name is empty/],
	['no namespace', { metadata: { ...metadata, namespace: '' } }, 'INVALID_ARGUMENT', /namespace is empty/],
	['no uid', { metadata: { ...metadata, uid: '' } }, 'INVALID_ARGUMENT', /uid is empty/],
	['a name with a slash', { metadata: { ...metadata, name: 'a/b' } }, 'INVALID_ARGUMENT', /slash/],
	[
		'a name with a newline',
		{ metadata: { ...metadata, name: 'a\nb' } },
		'INVALID_ARGUMENT',
		/control character/,
	],
	['a name that is a path', { metadata: { ...metadata, name: '..' } }, 'INVALID_ARGUMENT', /path/],
	[
		'an endless name',
		{ metadata: { ...metadata, name: 'x'.repeat(300) } },
		'INVALID_ARGUMENT',
		/longer than 255/,
	],
	['a hostname that is none', { hostname: 'a b' }, 'INVALID_ARGUMENT', /no host name/],
	['a hostname that is too long', { hostname: 'x'.repeat(65) }, 'INVALID_ARGUMENT', /longer than 64/],
	['a relative log folder', { log_directory: 'logs' }, 'INVALID_ARGUMENT', /log_directory.*not absolute/],
	['a log folder with NUL', { log_directory: '/logs\0x' }, 'INVALID_ARGUMENT', /log_directory.*NUL/],
	[
		'a name server that is none',
		{ dns_config: { servers: ['dns.example'] } },
		'INVALID_ARGUMENT',
		/no IP address/,
	],
	[
		'a search with a newline',
		{ dns_config: { searches: ['a\nnameserver 6.6.6.6'] } },
		'INVALID_ARGUMENT',
		/one word/,
	],
	[
		'a port of 0',
		{ port_mappings: [{ container_port: 0, host_port: 80 }] },
		'INVALID_ARGUMENT',
		/container_port is 0/,
	],
	[
		'a port beyond 65535',
		{ port_mappings: [{ container_port: 80, host_port: 70_000 }] },
		'INVALID_ARGUMENT',
		/host_port is 70000/,
	],
	[
		'a host IP that is none',
		{ port_mappings: [{ container_port: 80, host_port: 80, host_ip: 'here' }] },
		'INVALID_ARGUMENT',
		/no IP address/,
	],
	[
		'a port twice',
		{
			port_mappings: [
				{ container_port: 80, host_port: 4180 },
				{ container_port: 81, host_port: 4180 },
			],
		},
		'INVALID_ARGUMENT',
		/second time/,
	],
	[
		'a systemd slice',
		options({ cgroup_parent: 'kubepods.slice' }),
		'INVALID_ARGUMENT',
		/systemd slice.*cgroupDriver/,
	],
	['a relative cgroup', options({ cgroup_parent: 'kubepods' }), 'INVALID_ARGUMENT', /not absolute/],
	['a cgroup above', options({ cgroup_parent: '/a/../..' }), 'INVALID_ARGUMENT', /"\.\."/],
	['a sysctl of the node', options({ sysctls: { 'vm.swappiness': '1' } }), 'INVALID_ARGUMENT', /whole node/],
	[
		'a sysctl with a path',
		options({ sysctls: { 'net/../vm/swappiness': '1' } }),
		'INVALID_ARGUMENT',
		/not the name of a sysctl/,
	],
	[
		"a net sysctl with the node's network",
		options({
			sysctls: { 'net.ipv4.ip_forward': '1' },
			security_context: { namespace_options: { network: 'NODE' } },
		}),
		'INVALID_ARGUMENT',
		/network of the node/,
	],
	[
		'a namespace mode that makes no sense',
		options({ security_context: { namespace_options: { network: 'CONTAINER' } } }),
		'INVALID_ARGUMENT',
		/expected POD or NODE/,
	],
	[
		'a user namespace without a map',
		options({ security_context: { namespace_options: { userns_options: { mode: 'POD' } } } }),
		'INVALID_ARGUMENT',
		/needs a mapping/,
	],
	...(
		[
			['that overlaps', [id(0, 1000, 10), id(5, 2000, 10)], /uids overlaps: the container_ids from 0 to 9/],
			['that overlaps on the node', [id(0, 1000, 10), id(10, 1005, 10)], /uids overlaps: the host_ids/],
			['of length 0', [id(0, 1000, 0)], /uids\[0\] has a length of 0/],
			['that reaches too far', [id(0, 4_294_967_000, 1000)], /uids\[0\] reaches beyond/],
			['without root', [id(1, 1000, 10)], /too small: it holds 1 to 10, but not user 0/],
			[
				'of too many ranges',
				Array.from({ length: 341 }, (_, index) => id(index, 1000 + 2 * index, 1)),
				/has 341 mappings/,
			],
			[
				'of more than a page',
				Array.from({ length: 300 }, (_, index) => id(index, 1_000_000_000 + 2 * index, 1)),
				/has 300 mappings in \d+ bytes, and the kernel takes 4095/,
			],
		] as const
	).map(
		([what, uids, message]): Case<PodSandboxConfigInit> => [
			`an id map ${what}`,
			options({
				security_context: {
					namespace_options: { userns_options: { mode: 'POD', uids, gids: [id(0, 1000, 10)] } },
				},
			}),
			'INVALID_ARGUMENT',
			message,
		],
	),
	[
		'a user that its id map lacks',
		options({
			security_context: {
				run_as_user: { value: 10 },
				namespace_options: {
					userns_options: { mode: 'POD', uids: [id(0, 1000, 10)], gids: [id(0, 1000, 10)] },
				},
			},
		}),
		'INVALID_ARGUMENT',
		/too small.*not user 10/,
	],
	[
		'an RDT class',
		{ annotations: { 'rdt.resources.beta.kubernetes.io/pod': 'gold' } },
		'UNIMPLEMENTED',
		/rdt\.resources.*"gold".*no RDT classes/,
	],
	[
		'a block I/O class',
		{ annotations: { 'blockio.resources.beta.kubernetes.io/container.web': 'slow' } },
		'UNIMPLEMENTED',
		/blockio\.resources.*no block I\/O classes/,
	],
	[
		"the node's user namespace with a map",
		options({
			security_context: {
				namespace_options: {
					userns_options: { mode: 'NODE', uids: [{ host_id: 1, container_id: 0, length: 1 }] },
				},
			},
		}),
		'INVALID_ARGUMENT',
		/mappings, but mode is NODE/,
	],
	[
		'a target',
		options({ security_context: { namespace_options: { target_id: 'x' } } }),
		'INVALID_ARGUMENT',
		/target_id is for containers/,
	],
	[
		'a sum of resources that is none',
		options({ resources: { cpu_shares: -1 } }),
		'INVALID_ARGUMENT',
		/cpu_shares is -1/,
	],
	[
		'a group without a user',
		options({ security_context: { run_as_group: { value: 5 } } }),
		'INVALID_ARGUMENT',
		/run_as_group/,
	],
	[
		'a missing seccomp profile',
		options({ security_context: { seccomp: { profile_type: 'Localhost', localhost_ref: '/no/such.json' } } }),
		'INVALID_ARGUMENT',
		/no\/such\.json/,
	],
	['a configuration for Windows', { windows: {} }, 'INVALID_ARGUMENT', /Linux/],
];

for (const [what, config, condition, message] of SANDBOXES) {
	test(`sandbox with ${what}`, async () => {
		const failure = await failureOf(bed.cri.RunPodSandbox({ config: bed.podConfig(config) }));
		assert.match(failure.message, message);
		assert.equal(failure.condition, condition);
		assert.deepEqual(bed.leftObjects(), untouched);
	});
}

test('sandbox without a config, or with an unknown handler', async () => {
	assert.equal((await failureOf(bed.cri.RunPodSandbox({}))).condition, 'INVALID_ARGUMENT');
	const failure = await failureOf(
		bed.cri.RunPodSandbox({ config: bed.podConfig(), runtime_handler: 'kata' }),
	);
	assert.equal(failure.condition, 'INVALID_ARGUMENT');
	assert.match(failure.message, /kata.*gantry/);
});

const mount = (config: NonNullable<ContainerConfigInit['mounts']>[number]): ContainerConfigInit => ({
	mounts: [{ host_path: '/tmp', container_path: '/mnt', ...config }],
});

const CONTAINERS: readonly Case<ContainerConfigInit>[] = [
	['no metadata', { metadata: null }, 'INVALID_ARGUMENT', /metadata is missing/],
	['an empty name', { metadata: { name: '' } }, 'INVALID_ARGUMENT', /name is empty/],
	['a name with a slash', { metadata: { name: '../x' } }, 'INVALID_ARGUMENT', /slash/],
	['a name with a newline', { metadata: { name: 'x\n' } }, 'INVALID_ARGUMENT', /control character/],
	['no image', { image: null }, 'INVALID_ARGUMENT', /image is empty/],
	['an image that is not here', { image: { image: 'absent' } }, 'NOT_FOUND', /absent.*pull it/],
	[
		'an empty variable',
		{ envs: [{ key: '', value: Buffer.from('x') }] },
		'INVALID_ARGUMENT',
		/no name of a variable/,
	],
	['a variable with =', { envs: [{ key: 'A=B', value: Buffer.from('x') }] }, 'INVALID_ARGUMENT', /A=B/],
	['a variable with NUL', { envs: [{ key: 'A', value: Buffer.from('x\0y') }] }, 'INVALID_ARGUMENT', /NUL/],
	[
		'a variable that is not UTF-8',
		{ envs: [{ key: 'A', value: Buffer.from([0xff, 0xfe]) }] },
		'INVALID_ARGUMENT',
		/UTF-8/,
	],
	[
		'a relative container path',
		mount({ container_path: 'mnt' }),
		'INVALID_ARGUMENT',
		/container_path "mnt" is not absolute/,
	],
	['an empty container path', mount({ container_path: '' }), 'INVALID_ARGUMENT', /container_path is empty/],
	['a mount over the root', mount({ container_path: '/x/..' }), 'INVALID_ARGUMENT', /root itself/],
	[
		'a relative host path',
		mount({ host_path: 'tmp' }),
		'INVALID_ARGUMENT',
		/host_path "tmp" is not absolute/,
	],
	['an empty host path', mount({ host_path: '' }), 'INVALID_ARGUMENT', /host_path is empty/],
	[
		'a host path below a file',
		mount({ host_path: '/etc/passwd/x' }),
		'INVALID_ARGUMENT',
		/Cannot mount \/etc\/passwd\/x/,
	],
	['an unknown mount option', mount({ mount_options: ['suid'] }), 'INVALID_ARGUMENT', /"suid".*noexec/],
	['rro without ro', mount({ recursive_read_only: true }), 'INVALID_ARGUMENT', /needs readonly/],
	[
		'rro with propagation',
		mount({ recursive_read_only: true, readonly: true, propagation: 'PROPAGATION_HOST_TO_CONTAINER' }),
		'INVALID_ARGUMENT',
		/PROPAGATION_PRIVATE/,
	],
	[
		'half an idmap',
		mount({ uidMappings: [{ host_id: 0, container_id: 0, length: 1 }] }),
		'INVALID_ARGUMENT',
		/without the other/,
	],
	[
		'a device that is none',
		{ devices: [{ host_path: '/etc/passwd', container_path: '/dev/x', permissions: 'r' }] },
		'INVALID_ARGUMENT',
		/neither a device/,
	],
	[
		'a missing device',
		{ devices: [{ host_path: '/dev/none', container_path: '/dev/x', permissions: 'r' }] },
		'INVALID_ARGUMENT',
		/neither a device/,
	],
	[
		'device permissions that are none',
		{ devices: [{ host_path: '/dev/null', container_path: '/dev/x', permissions: 'rx' }] },
		'INVALID_ARGUMENT',
		/permissions "rx"/,
	],
	['an unknown CDI device', { CDI_devices: [{ name: 'no.such/gpu=0' }] }, 'NOT_FOUND', /no\.such\/gpu=0/],
	['a log path that leaves its folder', { log_path: '../../x.log' }, 'INVALID_ARGUMENT', /log_path/],
	['an absolute log path', { log_path: '/var/log/x.log' }, 'INVALID_ARGUMENT', /log_path/],
	['a log path that is the folder', { log_path: 'x/..' }, 'INVALID_ARGUMENT', /log_path/],
	['an empty program', { command: [''] }, 'INVALID_ARGUMENT', /command is empty/],
	['an argument with NUL', { command: ['sh', 'a\0b'] }, 'INVALID_ARGUMENT', /NUL/],
	[
		'a user that the image lacks',
		security({ run_as_username: 'nosuchuser' }),
		'INVALID_ARGUMENT',
		/nosuchuser.*passwd/,
	],
	[
		'a user by number and another by name',
		security({ run_as_user: { value: 5 }, run_as_username: 'root' }),
		'INVALID_ARGUMENT',
		/run_as_user \(5\).*run_as_username \("root"\)/,
	],
	[
		'an image of an unknown handler',
		{ image: { image: 'busybox', runtime_handler: 'kata' } },
		'INVALID_ARGUMENT',
		/image\.runtime_handler "kata"/,
	],
	[
		'a user namespace that the sandbox lacks',
		security({
			namespace_options: {
				pid: 'CONTAINER',
				userns_options: { mode: 'POD', uids: [{ host_id: 1, container_id: 0, length: 1 }] },
			},
		}),
		'INVALID_ARGUMENT',
		/sandbox has none/,
	],
	['a negative user', security({ run_as_user: { value: -1 } }), 'INVALID_ARGUMENT', /run_as_user is -1/],
	['a user beyond 32 bits', security({ run_as_user: { value: 2 ** 32 } }), 'INVALID_ARGUMENT', /run_as_user/],
	['a group without a user', security({ run_as_group: { value: 5 } }), 'INVALID_ARGUMENT', /run_as_group/],
	[
		'an unknown capability',
		security({ capabilities: { add_capabilities: ['FLY'] } }),
		'INVALID_ARGUMENT',
		/"FLY"/,
	],
	[
		'a relative seccomp profile',
		security({ seccomp: { profile_type: 'Localhost', localhost_ref: 'x.json' } }),
		'INVALID_ARGUMENT',
		/not an absolute path/,
	],
	[
		'a network of its own',
		security({ namespace_options: { network: 'CONTAINER' } }),
		'INVALID_ARGUMENT',
		/network is CONTAINER/,
	],
	[
		"the node's network",
		security({ namespace_options: { network: 'NODE' } }),
		'INVALID_ARGUMENT',
		/network is NODE/,
	],
	[
		'a target that is not there',
		security({ namespace_options: { pid: 'TARGET', target_id: 'f'.repeat(64) } }),
		'INVALID_ARGUMENT',
		/target_id/,
	],
	[
		'a target without TARGET',
		security({ namespace_options: { pid: 'POD', target_id: 'x' } }),
		'INVALID_ARGUMENT',
		/target_id/,
	],
	[
		'an OOM score beyond its range',
		{ linux: { resources: { oom_score_adj: 1001 } } },
		'INVALID_ARGUMENT',
		/oom_score_adj/,
	],
	[
		'a negative memory limit',
		{ linux: { resources: { memory_limit_in_bytes: -5 } } },
		'INVALID_ARGUMENT',
		/memory_limit_in_bytes/,
	],
	[
		'a CPU that is not there',
		{ linux: { resources: { cpuset_cpus: '4000' } } },
		'INVALID_ARGUMENT',
		/cpuset|4000/,
	],
	[
		'an AppArmor profile',
		security({ apparmor: { profile_type: 'Localhost', localhost_ref: 'x' } }),
		'FAILED_PRECONDITION',
		/AppArmor/,
	],
	[
		'an SELinux label',
		security({ selinux_options: { user: 'u', role: 'r', type: 't', level: 's0' } }),
		'FAILED_PRECONDITION',
		/SELinux label u:r:t:s0/,
	],
	[
		'an RDT class',
		{ annotations: { 'io.kubernetes.cri.rdt-class': 'gold' } },
		'UNIMPLEMENTED',
		/io\.kubernetes\.cri\.rdt-class.*no RDT classes/,
	],
	[
		'a block I/O class',
		{ annotations: { 'io.kubernetes.cri.blockio-class': 'slow' } },
		'UNIMPLEMENTED',
		/no block I\/O classes/,
	],
	[
		'an idmap that overlaps',
		mount({ uidMappings: [id(0, 5, 2), id(1, 9, 2)], gidMappings: [id(0, 5, 2)] }),
		'INVALID_ARGUMENT',
		/mounts\[0\]\.uidMappings overlaps/,
	],
	['a configuration for Windows', { windows: {} }, 'INVALID_ARGUMENT', /Linux/],
];

for (const [what, config, condition, message] of CONTAINERS) {
	test(`container with ${what}`, async () => {
		const failure = await failureOf(bed.create(pod, config));
		assert.match(failure.message, message);
		assert.equal(failure.condition, condition);
		assert.deepEqual(bed.leftObjects(), untouched);
		assert.deepEqual(bed.daemon.containers.list(), []);
	});
}

test('container whose image names a user that it lacks, or no program', async () => {
	const layer = join(bed.folder, 'layer');
	bed.images.add('bad-user', [layer], { user: 'ghost:web' }, `sha256:${'1'.repeat(64)}`);
	bed.images.add('no-command', [layer], { command: [] }, `sha256:${'2'.repeat(64)}`);
	const user = await failureOf(bed.create(pod, { image: { image: 'bad-user' } }));
	assert.equal(user.condition, 'INVALID_ARGUMENT');
	assert.match(user.message, /"ghost"/);
	const command = await failureOf(bed.create(pod, { image: { image: 'no-command' }, command: [] }));
	assert.equal(command.condition, 'INVALID_ARGUMENT');
	assert.deepEqual(bed.leftObjects(), untouched);
});

test('container in a sandbox that is unknown, empty or ambiguous', async () => {
	const config = containerConfig();
	const call = async (pod_sandbox_id: string) =>
		(await failureOf(bed.cri.CreateContainer({ pod_sandbox_id, config }))).condition;
	assert.equal(await call('f'.repeat(64)), 'NOT_FOUND');
	assert.equal(await call(''), 'INVALID_ARGUMENT');
	assert.equal(await call('not an id'), 'NOT_FOUND');
});

test('container with the config of another sandbox', async () => {
	const call = async (sandbox_config: PodSandboxConfigInit) =>
		await failureOf(
			bed.cri.CreateContainer({ pod_sandbox_id: pod, config: containerConfig(), sandbox_config }),
		);
	const other = await call({ metadata: { name: 'other', namespace: 'tests', uid: 'u' } });
	assert.equal(other.condition, 'INVALID_ARGUMENT');
	assert.match(other.message, /tests\/other \(u\)/);
	const log = await call({ log_directory: '/elsewhere' });
	assert.equal(log.condition, 'INVALID_ARGUMENT');
	assert.match(log.message, /"\/elsewhere"/);
	assert.deepEqual(bed.leftObjects(), untouched);
});

test('an update with annotations, an OOM score beyond its range, or limits that the machine lacks', async () => {
	const id = await bed.create(pod);
	const failure = async (request: UpdateContainerResourcesRequestInit) =>
		await failureOf(bed.cri.UpdateContainerResources({ container_id: id, ...request }));
	const annotated = await failure({ annotations: { 'vendor.example/class': 'gold' } });
	assert.equal(annotated.condition, 'INVALID_ARGUMENT');
	assert.match(annotated.message, /vendor\.example\/class/);
	const score = await failure({ linux: { oom_score_adj: 1001 } });
	assert.equal(score.condition, 'INVALID_ARGUMENT');
	assert.match(score.message, /oom_score_adj is 1001/);
	const pages = await failure({ linux: { hugepage_limits: [{ page_size: '3MB', limit: 1 }] } });
	assert.equal(pages.condition, 'FAILED_PRECONDITION');
	assert.match(pages.message, /3MB|hugetlb/);
	await bed.cri.RemoveContainer({ container_id: id });
	assert.deepEqual(bed.leftObjects(), untouched);
});

test('unknown ids: status tells, stop and remove are done already, the rest is NOT_FOUND', async () => {
	for (const id of ['f'.repeat(64), '../../etc', 'x\ny']) {
		const gone = { container_id: id };
		const condition = async (call: Promise<unknown>) => (await failureOf(call)).condition;
		assert.equal(await condition(bed.cri.ContainerStatus(gone)), 'NOT_FOUND');
		assert.equal(await condition(bed.cri.PodSandboxStatus({ pod_sandbox_id: id })), 'NOT_FOUND');
		assert.equal(await condition(bed.cri.StartContainer(gone)), 'NOT_FOUND');
		assert.equal(await condition(bed.cri.ExecSync({ ...gone, cmd: ['true'] })), 'NOT_FOUND');
		assert.equal(await condition(bed.cri.UpdateContainerResources({ ...gone, linux: {} })), 'NOT_FOUND');
		assert.equal(await condition(bed.cri.ReopenContainerLog(gone)), 'NOT_FOUND');
		await bed.cri.StopContainer(gone);
		await bed.cri.RemoveContainer(gone);
		await bed.cri.StopPodSandbox({ pod_sandbox_id: id });
		await bed.cri.RemovePodSandbox({ pod_sandbox_id: id });
	}
	for (const call of [
		bed.cri.StopContainer(),
		bed.cri.RemoveContainer(),
		bed.cri.StopPodSandbox(),
		bed.cri.RemovePodSandbox(),
		bed.cri.ContainerStatus(),
		bed.cri.PodSandboxStatus(),
	]) {
		assert.equal((await failureOf(call)).condition, 'INVALID_ARGUMENT');
	}
});

test('an ambiguous id is refused', async () => {
	const ids = await Promise.all(Array.from({ length: 17 }, () => bed.create(pod)));
	const counts = Map.groupBy(ids, (id) => id[0]);
	const [digit = ''] = [...counts].find(([, group]) => group.length > 1) ?? [];
	const failure = await failureOf(bed.cri.ContainerStatus({ container_id: digit }));
	assert.equal(failure.condition, 'INVALID_ARGUMENT');
	assert.match(failure.message, /ambiguous/);
	for (const id of ids) await bed.cri.RemoveContainer({ container_id: id });
	assert.deepEqual(bed.leftObjects(), untouched);
});

test('a mount that shares what the node keeps private is refused with the remedy', async () => {
	const host_path = join(bed.folder, 'private');
	mkdirSync(host_path);
	execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', host_path]);
	try {
		execFileSync('mount', ['--make-private', host_path]);
		const failure = await failureOf(
			bed.create(pod, mount({ host_path, propagation: 'PROPAGATION_BIDIRECTIONAL' })),
		);
		assert.match(failure.message, /make-rshared/);
		assert.deepEqual(bed.leftObjects(), untouched);
	} finally {
		execFileSync('umount', [host_path]);
	}
});

test('a failed clean-up keeps no name', async () => {
	const id = await bed.runPod({ metadata: { ...metadata, name: 'kept' } });
	const folder = bed.daemon.sandboxes.get(id)?.metadata.folder ?? assert.fail();
	const real = bed.daemon.network.release;
	bed.daemon.network.release = async () => {
		throw new Error('broken on purpose');
	};
	const failure = await failureOf(bed.cri.RemovePodSandbox({ pod_sandbox_id: id }));
	assert.match(failure.message, /broken on purpose/);
	assert.ok(existsSync(folder), 'what is left can be found');
	bed.daemon.network.release = real;
	const again = await bed.runPod({ metadata: { ...metadata, name: 'kept' } });
	await bed.cri.RemovePodSandbox({ pod_sandbox_id: id });
	await bed.cri.RemovePodSandbox({ pod_sandbox_id: again });
	assert.deepEqual(bed.leftObjects(), untouched);
});

test('a log folder that cannot be made', async () => {
	const file = join(bed.folder, 'file');
	writeFileSync(file, '');
	const id = await bed.runPod({ log_directory: join(file, 'logs') });
	const failure = await failureOf(bed.create(id, { log_path: 'x.log' }));
	assert.match(failure.message, /log folder/);
	await bed.cri.RemovePodSandbox({ pod_sandbox_id: id });
	assert.deepEqual(bed.leftObjects(), untouched);
});
