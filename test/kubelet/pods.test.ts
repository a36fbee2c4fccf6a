/** How a kubelet makes, watches, restarts and removes pods. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { until } from '../support/until.ts';
import { obeys, podOf, setUpNode } from './node.ts';
import { terminationLog, volumeOf } from './pod-spec.ts';

const PODS = 5;

test('pods come up together, with init containers, a sidecar and hooks in their order, and go again', async () => {
	await using node = await setUpNode();
	await using kubelet = node.startKubelet();
	const events = eventsOf(node.daemon.cri);
	const pods = Array.from({ length: PODS }, () =>
		podOf([
			{ name: 'first', kind: 'init', script: 'echo first >> /volume/order' },
			{ name: 'beside', kind: 'sidecar', ...obeys('echo beside >> /volume/order') },
			{
				name: 'last',
				kind: 'init',
				script: 'until grep -q beside /volume/order; do sleep 0.05; done; echo last >> /volume/order',
			},
			{ name: 'one', ...obeys(), postStart: 'echo hook >> /volume/order' },
			{ name: 'two', ...obeys() },
		]),
	);
	await Promise.all(pods.map((pod) => kubelet.bringUp(pod)));
	await Promise.all(
		pods.map(async (pod) => {
			assert.equal(
				readFileSync(join(volumeOf(pod, node.folders), 'order'), 'utf8'),
				'first\nbeside\nlast\nhook\n',
			);
			const one = await kubelet.statusOf(pod, 'one');
			const probe = await node.daemon.cri.ExecSync({
				container_id: one.id,
				cmd: ['grep', '-q', pod.name, '/etc/hosts'],
				timeout: 10,
			});
			assert.equal(probe.exit_code, 0, "the kubelet's hosts file is the container's");
			assert.equal((await kubelet.statusOf(pod, 'first')).exit_code, 0);
			await kubelet.kill(pod);
			const states = (await kubelet.containersOf(pod)).map(({ state }) => state);
			assert.deepEqual([...new Set(states)], ['CONTAINER_EXITED']);
			const ends = await Promise.all(['one', 'two', 'beside'].map((name) => kubelet.statusOf(pod, name)));
			for (const { exit_code, reason } of ends)
				assert.deepEqual([exit_code, reason], [0, 'Completed'], 'it had its grace');
			const [endOfOne = 0n, endOfTwo = 0n, endOfSidecar = 0n] = ends.map(({ finished_at }) =>
				BigInt(finished_at),
			);
			assert.ok(endOfOne < endOfSidecar && endOfTwo < endOfSidecar, 'the sidecar outlives them');
			await kubelet.remove(pod);
		}),
	);
	await kubelet.pleg.relisted();
	assert.deepEqual([kubelet.pleg.pods, kubelet.pleg.containers], [[], []]);
	const lives = await events.until(() => events.removed() === PODS * 6);
	assert.equal(lives.size, PODS * 6);
	for (const [id, types] of lives)
		assert.equal(types.join(' '), 'CREATED STARTED STOPPED DELETED', `what was told of ${id}`);
});

test('a container that fails is made again with its attempt counted up; its message is told, its dead are removed', async () => {
	await using node = await setUpNode();
	await using kubelet = node.startKubelet();
	const script = `echo x >> /volume/runs; n=$(wc -l < /volume/runs); echo run $n; [ $n -lt 4 ] && { echo trouble $n > /dev/termination-log; exit $n; }; ${obeys().script}`;
	const pod = podOf([{ name: 'fails', script }], { graceSeconds: 1 });
	const failed = async (attempt: number) => {
		const { metadata, state } = await kubelet.statusOf(pod, 'fails');
		return metadata?.attempt === attempt && state === 'CONTAINER_EXITED';
	};
	for (let attempt = 0; attempt < 3; attempt++) {
		await kubelet.bringUp(pod);
		await until(`attempt ${attempt} fails`, () => failed(attempt));
		const { exit_code, reason } = await kubelet.statusOf(pod, 'fails');
		assert.deepEqual([exit_code, reason], [attempt + 1, 'Error']);
		const message = terminationLog(pod, pod.containers[0] ?? assert.fail(), node.folders, attempt);
		assert.equal(readFileSync(message, 'utf8'), `trouble ${attempt + 1}\n`);
		await kubelet.collectContainers(pod);
		assert.equal((await kubelet.containersOf(pod)).length, 1, 'the newest of the dead is kept');
	}
	await kubelet.bringUp(pod);
	const status = await kubelet.statusOf(pod, 'fails');
	assert.deepEqual([status.state, status.metadata?.attempt], ['CONTAINER_RUNNING', 3]);
	const folder = join(node.folders.logs, `default_${pod.name}_${pod.uid}`, 'fails');
	assert.deepEqual(
		readdirSync(folder).sort(),
		['0.log', '1.log', '2.log', '3.log'],
		'each attempt has a log',
	);
	await kubelet.kill(pod);
	await kubelet.remove(pod);
});

test('a sandbox that is lost is made again with its attempt counted up, and its containers in it', async () => {
	await using node = await setUpNode();
	await using kubelet = node.startKubelet();
	const pod = podOf([{ name: 'main', ...obeys() }], { graceSeconds: 1 });
	const first = await kubelet.bringUp(pod);
	await node.daemon.cri.StopPodSandbox({ pod_sandbox_id: first });
	const second = await kubelet.bringUp(pod);
	const { status } = await node.daemon.cri.PodSandboxStatus({ pod_sandbox_id: second });
	assert.deepEqual([status?.state, status?.metadata?.attempt], ['SANDBOX_READY', 1]);
	const containers = await kubelet.containersOf(pod);
	assert.deepEqual(
		containers.map(({ pod_sandbox_id, state }) => [pod_sandbox_id, state]),
		[
			[second, 'CONTAINER_RUNNING'],
			[first, 'CONTAINER_EXITED'],
		],
	);
	await kubelet.kill(pod);
	await kubelet.remove(pod);
});

test('with hostUsers false, root of the pod is nobody on the node, and owns its volume, hosts file and message', async () => {
	await using node = await setUpNode();
	await using kubelet = node.startKubelet();
	const main = obeys(
		'echo mine > /volume/file; echo 10.9.8.7 more >> /etc/hosts; echo fine > /dev/termination-log',
	);
	const pods = [65536, 131072].map((usersFrom) => podOf([{ name: 'main', ...main }], { usersFrom }));
	await Promise.all(
		pods.map(async (pod) => {
			await kubelet.bringUp(pod);
			const file = join(volumeOf(pod, node.folders), 'file');
			await until('it writes its message', () => {
				const message = terminationLog(pod, pod.containers[0] ?? assert.fail(), node.folders, 0);
				return readFileSync(message, 'utf8') === 'fine\n';
			});
			assert.deepEqual([statSync(file).uid, statSync(file).gid], [0, 0], 'in the volume it is what it seems');
			const { id } = await kubelet.statusOf(pod, 'main');
			const cmd = ['cat', '/proc/self/uid_map', '/proc/self/gid_map'];
			const { stdout } = await node.daemon.cri.ExecSync({ container_id: id, cmd, timeout: 10 });
			const maps = Buffer.from(stdout).toString().trim().split('\n');
			for (const map of maps) assert.deepEqual(map.trim().split(/ +/), ['0', `${pod.usersFrom}`, '65536']);
			await kubelet.kill(pod);
			await kubelet.remove(pod);
		}),
	);
});

/** What an evented kubelet hears: the types of each object's events, in their order. */
function eventsOf(cri: Awaited<ReturnType<typeof setUpNode>>['daemon']['cri']) {
	const lives = new Map<string, string[]>();
	const leave = new AbortController();
	const reading = (async () => {
		for await (const { container_id, container_event_type } of cri.GetContainerEvents(
			{},
			{ signal: leave.signal },
		)) {
			const types = lives.get(container_id) ?? [];
			lives.set(container_id, types);
			types.push(container_event_type.replace(/^CONTAINER_|_EVENT$/g, ''));
		}
	})().catch(() => {});
	return {
		removed: () => [...lives.values()].filter((types) => types.at(-1) === 'DELETED').length,
		async until(holds: () => boolean): Promise<ReadonlyMap<string, readonly string[]>> {
			await until('all events have come', holds);
			leave.abort();
			await reading;
			return lives;
		},
	};
}
