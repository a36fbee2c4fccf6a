/** A daemon that is killed and started again finds everything; what died meanwhile is told. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../support/registry.ts';
import { until } from '../support/until.ts';
import { failureOf, TestBed } from './harness.ts';

/** The beginnings of the ids of sandboxes to which a host port leads, each once. */
function holders(bed: TestBed, ports: { readonly port_mappings: readonly { readonly host_port: number }[] }) {
	const table = execFileSync('nft', ['list', 'table', 'inet', `gantry-${bed.instance}`], {
		encoding: 'utf8',
	});
	const elements = table.matchAll(
		new RegExp(`\\b${ports.port_mappings[0]?.host_port} comment "(\\w+) `, 'g'),
	);
	return [...new Set([...elements].map((match) => match[1]))];
}

const exists = (pid: number): boolean => existsSync(`/proc/${pid}/exe`);

test('running containers are taken over, and exits that happened meanwhile are told', async () => {
	await using bed = await TestBed.start();
	const pod = await bed.runPod({ labels: { app: 'web' } });
	const config = bed.podConfig();
	const other = (await bed.cri.RunPodSandbox({ config })).pod_sandbox_id;
	const lives = await bed.run(pod, { log_path: 'lives.log' });
	const ends = await bed.run(pod, {
		command: ['sh', '-c', 'while ! test -e /tmp/go; do sleep 0.02; done; exit 9'],
	});
	const waits = await bed.create(pod);
	const ip = (await bed.cri.PodSandboxStatus({ pod_sandbox_id: pod })).status?.network?.ip;
	const pid = bed.daemon.containers.get(ends)?.status.process?.pid ?? 0;
	await bed.crash();
	writeFileSync(`/proc/${pid}/root/tmp/go`, '');
	await until('the container ended', () => !exists(pid));
	await bed.start();

	const sandbox = (await bed.cri.PodSandboxStatus({ pod_sandbox_id: pod })).status;
	assert.deepEqual([sandbox?.state, sandbox?.network?.ip, sandbox?.labels.app], ['SANDBOX_READY', ip, 'web']);
	assert.equal(await bed.sh(lives, 'echo alive'), 'alive');
	await until('the exit is told', () => bed.daemon.containers.get(ends)?.status.finishedAtNs !== undefined);
	const ended = (await bed.cri.ContainerStatus({ container_id: ends })).status;
	assert.deepEqual([ended?.state, ended?.exit_code, ended?.reason], ['CONTAINER_EXITED', 9, 'Error']);
	await bed.cri.StartContainer({ container_id: waits });
	assert.equal(await bed.sh(waits, 'echo started'), 'started');
	const retried = await bed.cri.RunPodSandbox({ config });
	assert.equal(
		retried.pod_sandbox_id,
		other,
		'nobody has used it: this may be the retry of the call that made it',
	);
	assert.equal((await failureOf(bed.cri.RunPodSandbox({ config }))).condition, 'ALREADY_EXISTS');
	await bed.cri.ReopenContainerLog({ container_id: lives });
	for (const id of [pod, other]) await bed.cri.RemovePodSandbox({ pod_sandbox_id: id });
	assert.deepEqual(bed.leftObjects(), []);
});

/** An answer that is this old has been heard. */
const HEARD_MS = 1500;

test('a start whose answer may be lost succeeds once more, even when the container has ended; one that was heard does not', async () => {
	await using bed = await TestBed.start();
	const pod = await bed.runPod();
	const quick = await bed.run(pod, { command: ['sh', '-c', 'exit 9'] });
	const slow = await bed.run(pod, {
		command: ['sh', '-c', 'while ! test -e /tmp/go; do sleep 0.02; done; exit 9'],
	});
	await sleep(HEARD_MS);
	await bed.sh(slow, 'touch /tmp/go');
	const hasEnded = (id: string) => bed.daemon.containers.get(id)?.status.finishedAtNs !== undefined;
	await until('both have ended', () => hasEnded(quick) && hasEnded(slow));
	await bed.daemon.containers.trySave(slow);
	for (const _ of ['once', 'twice']) {
		await bed.crash();
		await bed.start();
	}
	await bed.cri.StartContainer({ container_id: quick });
	for (const container_id of [quick, slow]) {
		assert.match(`${await failureOf(bed.cri.StartContainer({ container_id }))}`, /it is exited, not created/);
		const { status } = await bed.cri.ContainerStatus({ container_id });
		assert.deepEqual([status?.state, status?.exit_code], ['CONTAINER_EXITED', 9]);
	}
});

test('a shim that dies makes its sandbox not ready and its containers exited, and all can be removed', async () => {
	await using bed = await TestBed.start();
	const pod = await bed.runPod();
	const container = await bed.run(pod);
	const survivor = await bed.runPod();
	const { shim, pause } = bed.daemon.sandboxes.get(pod)?.status ?? assert.fail();
	const pid = bed.daemon.containers.get(container)?.status.process?.pid ?? 0;
	process.kill(shim?.pid ?? 0, 'SIGKILL');
	await until(
		'the container is exited',
		() => bed.daemon.containers.get(container)?.status.finishedAtNs !== undefined,
	);
	const { status } = await bed.cri.ContainerStatus({ container_id: container });
	assert.deepEqual(
		[status?.state, status?.exit_code, status?.reason],
		['CONTAINER_EXITED', 255, 'ContainerStatusUnknown'],
	);
	const sandbox = (await bed.cri.PodSandboxStatus({ pod_sandbox_id: pod })).status;
	assert.equal(sandbox?.state, 'SANDBOX_NOTREADY');
	await until('its process is gone', () => !exists(pid));
	await bed.cri.StopPodSandbox({ pod_sandbox_id: pod });
	await bed.cri.RemovePodSandbox({ pod_sandbox_id: pod });
	assert.ok(!exists(pause?.pid ?? 0));
	assert.equal((await bed.cri.PodSandboxStatus({ pod_sandbox_id: survivor })).status?.state, 'SANDBOX_READY');
	await bed.cri.RemovePodSandbox({ pod_sandbox_id: survivor });
	assert.deepEqual(bed.leftObjects(), []);
});

test('a shim that died while no daemon ran', async () => {
	await using bed = await TestBed.start();
	const pod = await bed.runPod();
	const container = await bed.run(pod);
	const shim = bed.daemon.sandboxes.get(pod)?.status.shim?.pid ?? 0;
	await bed.crash();
	process.kill(shim, 'SIGKILL');
	await until('the shim is gone', () => !exists(shim));
	await bed.start();
	assert.equal((await bed.cri.PodSandboxStatus({ pod_sandbox_id: pod })).status?.state, 'SANDBOX_NOTREADY');
	const { status } = await bed.cri.ContainerStatus({ container_id: container });
	assert.deepEqual([status?.state, status?.reason], ['CONTAINER_EXITED', 'ContainerStatusUnknown']);
	await bed.cri.RemovePodSandbox({ pod_sandbox_id: pod });
	assert.deepEqual(bed.leftObjects(), []);
});

test('a pause process that is killed makes the sandbox not ready', async () => {
	await using bed = await TestBed.start();
	const pod = await bed.runPod();
	process.kill(bed.daemon.sandboxes.get(pod)?.status.pause?.pid ?? 0, 'SIGKILL');
	await until('the sandbox is not ready', () => bed.daemon.sandboxes.get(pod)?.status.state === 'notready');
	await bed.cri.RemovePodSandbox({ pod_sandbox_id: pod });
	assert.deepEqual(bed.leftObjects(), []);
});

test('a record that cannot be read makes that object UNKNOWN and removable, and no other', async () => {
	await using bed = await TestBed.start();
	const pod = await bed.runPod();
	const broken = await bed.run(pod);
	const fine = await bed.run(pod);
	const lostPod = await bed.runPod();
	const inside = await bed.run(lostPod);
	const pids = [broken, inside].map((id) => bed.daemon.containers.get(id)?.status.process?.pid ?? 0);
	await bed.crash();
	const state = join(bed.folder, 'state');
	writeFileSync(join(state, 'containers', broken, 'record.json'), '{"version":1,"kind":"container"');
	const record = join(state, 'sandboxes', lostPod, 'record.json');
	writeFileSync(record, readFileSync(record, 'utf8').replace('"version":1', '"version":99'));
	await bed.start();
	const unknown = (await bed.cri.ContainerStatus({ container_id: broken })).status;
	assert.equal(unknown?.state, 'CONTAINER_UNKNOWN');
	assert.match(unknown?.message ?? '', /cannot be read/);
	assert.equal(
		(await bed.cri.PodSandboxStatus({ pod_sandbox_id: lostPod })).status?.state,
		'SANDBOX_NOTREADY',
	);
	assert.equal(await bed.sh(fine, 'echo fine'), 'fine');
	await bed.cri.RemoveContainer({ container_id: broken });
	await bed.cri.StopPodSandbox({ pod_sandbox_id: lostPod });
	await bed.cri.RemovePodSandbox({ pod_sandbox_id: lostPod });
	for (const pid of pids) await until('the process is gone', () => !exists(pid));
	await bed.cri.RemovePodSandbox({ pod_sandbox_id: pod });
	assert.deepEqual(bed.leftObjects(), []);
});

test('what was half made is taken back, what was half removed is finished', async () => {
	await using bed = await TestBed.start();
	const pod = await bed.runPod();
	const made = await bed.run(pod);
	const halfMade = await bed.run(pod);
	const halfRemoved = await bed.run(pod);
	const halfPod = await bed.runPod();
	const removedPod = await bed.runPod();
	const pids = [halfMade, halfRemoved].map((id) => bed.daemon.containers.get(id)?.status.process?.pid ?? 0);
	await bed.crash();
	const setPhase = (kind: string, id: string, phase: string): void => {
		const path = join(bed.folder, 'state', kind, id, 'record.json');
		writeFileSync(path, readFileSync(path, 'utf8').replace('"phase":"made"', `"phase":"${phase}"`));
	};
	setPhase('containers', halfMade, 'making');
	setPhase('containers', halfRemoved, 'removing');
	setPhase('sandboxes', halfPod, 'making');
	setPhase('sandboxes', removedPod, 'removing');
	await bed.start();
	const names = bed.leftObjects();
	for (const id of [halfMade, halfRemoved, halfPod, removedPod]) {
		assert.deepEqual(
			names.filter((name) => name.includes(id.slice(0, 20))),
			[],
			id,
		);
	}
	for (const pid of pids) assert.ok(!exists(pid));
	assert.deepEqual(
		bed.daemon.sandboxes.list().map(({ metadata }) => metadata.id),
		[pod],
	);
	assert.equal(await bed.sh(made, 'echo still here'), 'still here');
	await bed.cri.RemovePodSandbox({ pod_sandbox_id: pod });
});

for (const phase of ['making', 'removing'])
	test(`a pod whose record says ${phase} keeps its host port until that is finished; a retry waits for it and has the port then`, async () => {
		await using bed = await TestBed.start();
		const ports = { port_mappings: [{ container_port: 80, host_port: await freePort() }] };
		const config = bed.podConfig(ports);
		const half = (await bed.cri.RunPodSandbox({ config })).pod_sandbox_id;
		await bed.crash();
		const record = join(bed.folder, 'state/sandboxes', half, 'record.json');
		writeFileSync(record, readFileSync(record, 'utf8').replace('"phase":"made"', `"phase":"${phase}"`));
		let retry: Promise<{ readonly pod_sandbox_id: string }> | undefined;
		await bed.start(undefined, async () => {
			const refused = await failureOf(bed.runPod(ports));
			assert.equal(refused.condition, 'FAILED_PRECONDITION');
			assert.match(refused.message, new RegExp(`sandbox ${half.slice(0, 13)} .* holds`));
			const before = bed.daemon.sandboxes.unpublished.size;
			retry = bed.cri.RunPodSandbox({ config });
			// Whether it waits: it has had every chance to get the port.
			await until('the retry is under way', () => bed.daemon.sandboxes.unpublished.size > before);
		});
		const { pod_sandbox_id } = (await retry) ?? assert.fail();
		assert.notEqual(pod_sandbox_id, half);
		assert.deepEqual(holders(bed, ports), [pod_sandbox_id.slice(0, 13)]);
		await bed.cri.RemovePodSandbox({ pod_sandbox_id });
		assert.deepEqual(bed.leftObjects(), []);
	});

test('a stop that fails at a container frees the host port once: who gets it keeps it, also over a restart', async () => {
	await using bed = await TestBed.start();
	const ports = { port_mappings: [{ container_port: 80, host_port: await freePort() }] };
	const stuck = await bed.runPod(ports);
	await bed.run(stuck);
	const shim = bed.daemon.sandboxes.shims.get(stuck) ?? assert.fail();
	shim.kill = () => Promise.reject(new Error('it does not die'));
	const stop = () => bed.cri.StopPodSandbox({ pod_sandbox_id: stuck });
	assert.match((await failureOf(stop())).message, /it does not die/);
	const next = await bed.runPod(ports);
	assert.match((await failureOf(stop())).message, /it does not die/, 'it is not stopped yet');
	await bed.crash();
	await bed.start();
	assert.deepEqual(bed.daemon.network.status(), { ready: true, reason: '', message: '' });
	await stop();
	await bed.cri.RemovePodSandbox({ pod_sandbox_id: stuck });
	assert.deepEqual(holders(bed, ports), [next.slice(0, 13)]);
});

test('after a reboot layers, files of pods and leases are left, and they are freed', async () => {
	await using bed = await TestBed.start();
	await bed.crash();
	const id = 'a'.repeat(64);
	mkdirSync(join(bed.folder, 'root/containers', id, 'upper/etc'), { recursive: true });
	writeFileSync(join(bed.folder, 'root/containers', id, 'upper/etc/file'), 'left');
	const removed = join(bed.folder, 'root/containers', `.removed-${id}`);
	mkdirSync(join(removed, 'upper'), { recursive: true });
	mkdirSync(join(bed.folder, 'root/sandboxes', id));
	writeFileSync(join(bed.folder, 'root/sandboxes', id, 'hosts'), 'left');
	await bed.images.lease('sha256:x', id);
	writeFileSync(join(bed.folder, 'state/shims/0123456789abcdef0123.sock'), '');
	await bed.start();
	assert.deepEqual(bed.leftObjects(), []);
	assert.ok(!existsSync(removed));
});

test('a shim that no record owns is ended', async () => {
	await using bed = await TestBed.start();
	const pod = await bed.runPod();
	const container = await bed.run(pod);
	const pid = bed.daemon.containers.get(container)?.status.process?.pid ?? 0;
	const shim = bed.daemon.sandboxes.get(pod)?.status.shim?.pid ?? 0;
	await bed.crash();
	const { renameSync } = await import('node:fs');
	// As if records had been lost: the folders are where nobody looks, the bundles with them.
	renameSync(join(bed.folder, 'state/sandboxes', pod), join(bed.folder, 'lost'));
	await bed.start();
	await until('shim and container are gone', () => !exists(pid) && !exists(shim));
	await bed.cri.RemoveContainer({ container_id: container });
	for (const folder of bed.daemon.cgroups.folders(`/${bed.instance}/${bed.instance}-${pod}`))
		assert.ok(!existsSync(folder), folder);
});
