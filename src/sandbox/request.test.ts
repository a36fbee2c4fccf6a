import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cgroupParent, cgroupsPathOf } from './cgroup-parent.ts';
import { CleanUp } from './clean-up.ts';
import { nowNs } from './clock.ts';
import { checkSandboxMetadata, sandboxName } from './metadata.ts';
import { podNamespaces } from './namespaces.ts';
import { portMappings } from './ports.ts';
import { podSysctls } from './sysctls.ts';
import { Timeline } from './timeline.ts';

const own = { hostNetwork: false, hostIpc: false, hostPid: false, user: undefined };

test("the cgroup parent: the request's, or the instance's", () => {
	assert.equal(cgroupParent('', 'gantry'), '/gantry');
	assert.equal(cgroupParent('/kubepods/pod1/', 'gantry'), '/kubepods/pod1');
	assert.equal(cgroupParent('/', 'gantry'), '/gantry');
	assert.equal(cgroupsPathOf('/kubepods', 'gantry', 'id'), '/kubepods/gantry-id');
	for (const bad of ['kubepods.slice', '/kubepods.slice', 'relative', '/a/../b', '/a\nb']) {
		assert.throws(() => cgroupParent(bad, 'gantry'), { condition: 'INVALID_ARGUMENT' }, bad);
	}
});

test("sysctls of the configuration are left out where the pod lacks the namespace; the pod's own are refused", () => {
	const defaults = { 'net.ipv4.ping_group_range': '0 0', 'kernel.shmmax': '1' };
	assert.deepEqual(podSysctls({ 'kernel.shmmax': '2' }, defaults, own), {
		'net.ipv4.ping_group_range': '0 0',
		'kernel.shmmax': '2',
	});
	assert.deepEqual(podSysctls({}, defaults, { ...own, hostNetwork: true }), { 'kernel.shmmax': '1' });
	assert.throws(() => podSysctls({ 'net.core.somaxconn': '1' }, {}, { ...own, hostNetwork: true }), {
		condition: 'INVALID_ARGUMENT',
	});
	assert.throws(() => podSysctls({ 'kernel.shmmax': '1' }, {}, { ...own, hostIpc: true }), {
		condition: 'INVALID_ARGUMENT',
	});
	assert.throws(() => podSysctls({ 'kernel.pid_max': '1' }, {}, own), { condition: 'INVALID_ARGUMENT' });
	assert.throws(() => podSysctls({ 'net.core.somaxconn': '1\n2' }, {}, own), {
		condition: 'INVALID_ARGUMENT',
	});
});

test('namespaces: POD is the default of all', () => {
	assert.deepEqual(podNamespaces(null), own);
	const options = {
		network: 'NODE',
		ipc: 'NODE',
		pid: 'CONTAINER',
		target_id: '',
		userns_options: null,
	} as const;
	assert.deepEqual(podNamespaces(options), { ...own, hostNetwork: true, hostIpc: true });
	const map = { host_id: 1000, container_id: 0, length: 5 };
	assert.deepEqual(
		podNamespaces({ ...options, userns_options: { mode: 'POD', uids: [map], gids: [map] } }).user?.uids,
		[{ containerID: 0, hostID: 1000, size: 5 }],
	);
	const broken = { ...map, length: 0 };
	assert.throws(
		() => podNamespaces({ ...options, userns_options: { mode: 'POD', uids: [broken], gids: [map] } }),
		{ condition: 'INVALID_ARGUMENT' },
	);
});

test('ports', () => {
	const port = { protocol: 'UDP', container_port: 53, host_port: 5353, host_ip: '::1' } as const;
	assert.deepEqual(portMappings([port]), [
		{ protocol: 'udp', containerPort: 53, hostPort: 5353, hostIp: '::1' },
	]);
	assert.equal(
		portMappings([port, { ...port, protocol: 'TCP' }, { ...port, host_port: 0 }, { ...port, host_port: 0 }])
			.length,
		4,
	);
	assert.throws(() => portMappings([port, port]), { condition: 'INVALID_ARGUMENT' });
});

test('metadata becomes a name', () => {
	const metadata = { name: 'a', namespace: 'b', uid: 'c', attempt: 3 };
	assert.equal(sandboxName(checkSandboxMetadata(metadata)), 'b/a/c/3');
	assert.throws(() => checkSandboxMetadata(null), { condition: 'INVALID_ARGUMENT' });
});

test('a clean-up tries everything, and tells what failed', async () => {
	const cleanUp = new CleanUp();
	const done: string[] = [];
	await cleanUp.step('do the first', 1000, async () => {
		throw new Error('broken');
	});
	await cleanUp.step('do the second', 1, () => new Promise(() => {}));
	await cleanUp.step('do the third', 1000, async () => done.push('third'));
	assert.deepEqual(done, ['third']);
	assert.throws(
		() => cleanUp.throwIfFailed('Cannot remove x'),
		/^StatusError: Cannot remove x: cannot do the first: broken; cannot do the second/,
	);
	new CleanUp().throwIfFailed('x');
});

test('a timeline lists the stages that succeeded and says which one runs', async () => {
	const holder = { id: 'x', stage: '' };
	const timeline = new Timeline(holder, (_name, work) => work(), 1000);
	assert.ok(timeline.secondsLeft > 0 && timeline.secondsLeft < 1000);
	assert.equal(await timeline.stage('one', async () => 7), 7);
	await assert.rejects(
		timeline.stage('two', async () => Promise.reject(new Error('broken'))),
		/broken/,
	);
	assert.equal(holder.stage, 'two');
	assert.deepEqual(
		timeline.stages.map(({ name }) => name),
		['one'],
	);
});

test('a stage that hangs is given up at the deadline of the whole', async () => {
	const timeline = new Timeline({ id: 'x', stage: '' }, (_name, work) => work(), 0.01);
	assert.equal(timeline.secondsLeft, 1);
	await assert.rejects(
		timeline.stage('network', () => new Promise(() => {})),
		{ condition: 'DEADLINE_EXCEEDED', message: /network/ },
	);
});

test('the clock does not run backwards by more than its grain', () => {
	assert.ok(nowNs() > BigInt(Date.now() - 1000) * 1_000_000n);
});
