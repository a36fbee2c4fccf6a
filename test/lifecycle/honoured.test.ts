/** Fields of requests whose effect only a kernel shows: limits, propagation, namespaces of the node, stdin. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readlinkSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { ContainerConfigInit, LinuxContainerResourcesInit, MountInit } from '#cri-api';
import { failureOf, TestBed } from './harness.ts';

let bed: TestBed;
let pod: string;
let untouched: readonly string[];

before(async () => {
	bed = await TestBed.start();
	pod = await bed.runPod();
	untouched = bed.leftObjects();
});
after(async () => await bed[Symbol.asyncDispose]());

const limited = (resources: LinuxContainerResourcesInit): ContainerConfigInit => ({
	linux: { resources, security_context: { namespace_options: { pid: 'CONTAINER' } } },
});

/** What stands in a container's own cgroup, by the file's name on v1 and on v2. */
const limitOf = async (id: string, v1: string, v2: string): Promise<string> =>
	await bed.sh(id, `cd /sys/fs/cgroup; cat ${bed.daemon.cgroups.version === 2 ? v2 : v1}`);

test('limits stand in the cgroup: processors, their share and quota, memory, swap', async () => {
	const id = await bed.run(
		pod,
		limited({
			cpu_period: 50_000,
			cpu_quota: 25_000,
			memory_limit_in_bytes: 32 << 20,
			memory_swap_limit_in_bytes: 48 << 20,
			cpuset_cpus: '0',
			cpuset_mems: '0',
			hugepage_limits: [{ page_size: '2MB', limit: 0 }],
		}),
	);
	const v2 = bed.daemon.cgroups.version === 2;
	assert.equal(await limitOf(id, 'cpuset/cpuset.cpus', 'cpuset.cpus'), '0');
	assert.equal(await limitOf(id, 'cpuset/cpuset.mems', 'cpuset.mems'), '0');
	assert.equal(await limitOf(id, 'cpu/cpu.cfs_quota_us', 'cpu.max'), v2 ? '25000 50000' : '25000');
	assert.equal(await limitOf(id, 'memory/memory.limit_in_bytes', 'memory.max'), String(32 << 20));
	const swap = v2 ? 16 << 20 : 48 << 20;
	assert.equal(await limitOf(id, 'memory/memory.memsw.limit_in_bytes', 'memory.swap.max'), String(swap));
	await bed.cri.RemoveContainer({ container_id: id });
});

test('limits that this machine cannot keep are refused by their names', async () => {
	const { version, controllers } = bed.daemon.cgroups;
	const refusal = async (resources: LinuxContainerResourcesInit, message: RegExp) => {
		const failure = await failureOf(bed.create(pod, limited(resources)));
		assert.equal(failure.condition, 'FAILED_PRECONDITION', failure.message);
		assert.match(failure.message, message);
		assert.deepEqual(bed.leftObjects(), untouched);
	};
	if (version === 1) await refusal({ unified: { 'memory.high': '1000000' } }, /unified.*cgroup v2/);
	else await refusal({ unified: { 'nosuch.max': '1' } }, /unified\["nosuch\.max"\]/);
	if (!controllers.has('hugetlb'))
		await refusal({ hugepage_limits: [{ page_size: '2MB', limit: 2 << 20 }] }, /hugepageLimits 2MB.*hugetlb/);
});

test('the cgroup of a container lies below the parent of its pod', async () => {
	const parent = `/${bed.instance}/pods/one`;
	const id = await bed.runPod({ linux: { cgroup_parent: parent } });
	const other = await bed.runPod({ linux: { cgroup_parent: parent } });
	const container = await bed.run(id);
	const { cgroupsPath } = bed.daemon.containers.get(container)?.metadata ?? assert.fail();
	assert.equal(cgroupsPath, `${parent}/${bed.instance}-${container}`);
	const there = (path: string) => bed.daemon.cgroups.folders(path).filter((folder) => existsSync(folder));
	assert.deepEqual(there(cgroupsPath), bed.daemon.cgroups.folders(cgroupsPath));
	await bed.cri.RemovePodSandbox({ pod_sandbox_id: id });
	assert.notDeepEqual(there(parent), [], 'the other pod is in it');
	await bed.cri.RemovePodSandbox({ pod_sandbox_id: other });
	assert.deepEqual(there(`/${bed.instance}/pods`), [], 'what was made for pods goes with the last of them');
});

test('a parent that was there before is left where it is', async () => {
	const parent = `/${bed.instance}/kubelet`;
	const folders = bed.daemon.cgroups.folders(parent);
	for (const folder of folders) mkdirSync(folder, { recursive: true });
	const id = await bed.runPod({ linux: { cgroup_parent: parent } });
	await bed.cri.RemovePodSandbox({ pod_sandbox_id: id });
	for (const folder of folders) rmdirSync(folder);
});

/** A folder of the test bed that is a shared mount of its own. */
function sharedFolder(name: string): Disposable & { readonly path: string } {
	const path = join(bed.folder, name);
	mkdirSync(path);
	execFileSync('mount', ['-t', 'tmpfs', 'gantry-test', path]);
	execFileSync('mount', ['--make-shared', path]);
	mkdirSync(join(path, 'below'));
	return { path, [Symbol.dispose]: () => execFileSync('umount', ['-R', path]) };
}

const mounted = (mount: MountInit, privileged = false): ContainerConfigInit => ({
	mounts: [{ container_path: '/mnt', ...mount }],
	linux: { security_context: { privileged, namespace_options: { pid: 'CONTAINER' } } },
});

test('mounts of the node arrive in a container where it asks for them, and nowhere else', async () => {
	using shared = sharedFolder('to-container');
	const mount = { host_path: shared.path };
	const slave = await bed.run(pod, mounted({ ...mount, propagation: 'PROPAGATION_HOST_TO_CONTAINER' }));
	const apart = await bed.run(pod, mounted(mount));
	const below = join(shared.path, 'below');
	execFileSync('mount', ['-t', 'tmpfs', 'gantry-test', below]);
	writeFileSync(join(below, 'file'), 'new\n');
	assert.equal(await bed.sh(slave, 'cat /mnt/below/file'), 'new');
	assert.equal(await bed.sh(apart, 'ls /mnt/below'), '');
	for (const id of [slave, apart]) await bed.cri.RemoveContainer({ container_id: id });
});

test('mounts of a privileged container arrive on the node where it asks for that', async () => {
	using shared = sharedFolder('to-host');
	const privilegedPod = await bed.runPod({ linux: { security_context: { privileged: true } } });
	const id = await bed.run(
		privilegedPod,
		mounted({ host_path: shared.path, propagation: 'PROPAGATION_BIDIRECTIONAL' }, true),
	);
	await bed.sh(id, 'mount -t tmpfs inside /mnt/below && echo told > /mnt/below/file');
	assert.ok(existsSync(join(shared.path, 'below/file')));
	await bed.cri.RemovePodSandbox({ pod_sandbox_id: privilegedPod });
});

test('a recursively read-only mount is read-only in what is mounted below it too', async () => {
	using shared = sharedFolder('read-only');
	execFileSync('mount', ['-t', 'tmpfs', 'gantry-test', join(shared.path, 'below')]);
	const host_path = shared.path;
	const flat = await bed.run(pod, mounted({ host_path, readonly: true }));
	const deep = await bed.run(pod, mounted({ host_path, readonly: true, recursive_read_only: true }));
	await bed.sh(flat, '! touch /mnt/x && touch /mnt/below/x');
	await bed.sh(deep, '! touch /mnt/x && ! touch /mnt/below/y');
	for (const id of [flat, deep]) await bed.cri.RemoveContainer({ container_id: id });
});

test('IPC and processes of the node', async () => {
	const namespace_options = { pid: 'NODE', ipc: 'NODE' } as const;
	const id = await bed.runPod({ linux: { security_context: { namespace_options } } });
	const container = await bed.run(id, { linux: { security_context: { namespace_options } } });
	for (const name of ['pid', 'ipc'])
		assert.equal(
			await bed.sh(container, `readlink /proc/self/ns/${name}`),
			readlinkSync(`/proc/self/ns/${name}`),
		);
	await bed.cri.RemovePodSandbox({ pod_sandbox_id: id });
});

test('standard input is open only where it was asked for', async () => {
	const waiting = await bed.run(pod, { command: ['cat'], stdin: true, stdin_once: true });
	const { code } = await bed.runScript(pod, 'cat');
	assert.equal(code, 0, 'without it a reader finds the end at once');
	const { status } = await bed.cri.ContainerStatus({ container_id: waiting });
	assert.equal(status?.state, 'CONTAINER_RUNNING');
	await bed.cri.RemoveContainer({ container_id: waiting });
});
