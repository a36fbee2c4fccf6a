/** How containers and sandboxes start, end and go: states, reasons, signals, events, and doing it twice. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { ContainerConfigInit, ContainerStatus } from '#cri-api';
import { containerConfig, failureOf, TestBed } from './harness.ts';

let bed: TestBed;
let pod: string;

before(async () => {
	bed = await TestBed.start();
	pod = await bed.runPod();
});
after(async () => await bed[Symbol.asyncDispose]());

async function statusOf(id: string): Promise<ContainerStatus> {
	const { status } = await bed.cri.ContainerStatus({ container_id: id });
	return status ?? assert.fail('no status');
}

async function ended(config: ContainerConfigInit): Promise<ContainerStatus> {
	const id = await bed.run(pod, config);
	await bed.daemon.containers.exited(id);
	return await statusOf(id);
}

test('a container goes from created to running to exited, with its times', async () => {
	const id = await bed.create(pod, { command: ['sh', '-c', 'exit 0'] });
	const created = await statusOf(id);
	assert.deepEqual([created.state, created.started_at, created.finished_at], ['CONTAINER_CREATED', '0', '0']);
	await bed.cri.StartContainer({ container_id: id });
	await bed.daemon.containers.exited(id);
	const now = await statusOf(id);
	assert.deepEqual([now.state, now.exit_code, now.reason], ['CONTAINER_EXITED', 0, 'Completed']);
	assert.ok(BigInt(created.created_at) <= BigInt(now.started_at));
	assert.ok(BigInt(now.started_at) <= BigInt(now.finished_at));
	const types = bed.events.filter(({ containerId }) => containerId === id).map(({ type }) => type);
	assert.deepEqual(types, ['CONTAINER_CREATED_EVENT', 'CONTAINER_STARTED_EVENT', 'CONTAINER_STOPPED_EVENT']);
});

test('exit codes and signals are told', async () => {
	const failed = await ended({ command: ['sh', '-c', 'exit 7'] });
	assert.deepEqual([failed.exit_code, failed.reason], [7, 'Error']);
	const killed = await ended({ command: ['sh', '-c', 'kill -9 $$; sleep 5'], linux: {} });
	assert.deepEqual([killed.exit_code, killed.reason], [137, 'Error']);
});

test('a container that runs out of memory is OOMKilled; one whose child does is not', async () => {
	const linux = { resources: { memory_limit_in_bytes: 20 * 1024 * 1024 } };
	// One process alone asks for memory: while a victim's memory is on its way back, the kernel kills another
	// for a page that a second one wants (a writer into a pipe, for example).
	const eat = 'dd if=/dev/zero of=/dev/null bs=60M count=1';
	const eater = await ended({ command: ['sh', '-c', `exec ${eat}`], linux });
	assert.deepEqual([eater.exit_code, eater.reason], [137, 'OOMKilled']);
	const child = await ended({ command: ['sh', '-c', `${eat}; exit 3`], linux });
	assert.deepEqual([child.exit_code, child.reason], [3, 'Error']);
});

test('stop sends the stop signal and waits; a container that obeys ends by itself', async () => {
	const command = ['sh', '-c', 'trap "exit 5" USR1; trap "exit 6" TERM; while true; do sleep 0.02; done'];
	const term = await bed.run(pod, { command });
	const usr1 = await bed.run(pod, { command, stop_signal: 'SIGNAL_SIGUSR1' });
	// The traps are set a moment after the exec.
	for (const id of [term, usr1])
		await bed.sh(
			id,
			'while ! grep -q "^SigCgt:.*[2-9a-f][0-9a-f]\\{3\\}$" /proc/1/status; do sleep 0.02; done',
		);
	await bed.cri.StopContainer({ container_id: term, timeout: 30 });
	await bed.cri.StopContainer({ container_id: usr1, timeout: 30 });
	assert.equal((await statusOf(term)).exit_code, 6);
	const status = await statusOf(usr1);
	assert.deepEqual([status.exit_code, status.stop_signal], [5, 'SIGNAL_SIGUSR1']);
});

test('a second stop shortens the grace of the first, and never lengthens it', async () => {
	const id = await bed.run(pod);
	const first = bed.cri.StopContainer({ container_id: id, timeout: 3000 });
	await new Promise((resolve) => setTimeout(resolve, 30));
	assert.equal((await statusOf(id)).state, 'CONTAINER_RUNNING');
	const longer = bed.cri.StopContainer({ container_id: id, timeout: 9000 });
	await bed.cri.StopContainer({ container_id: id, timeout: 0 });
	await Promise.all([first, longer]);
	assert.equal((await statusOf(id)).exit_code, 137);
	await bed.cri.StopContainer({ container_id: id, timeout: 0 });
});

test('a created container that is stopped never starts', async () => {
	const id = await bed.create(pod);
	await bed.cri.StopContainer({ container_id: id, timeout: 10 });
	assert.equal((await statusOf(id)).state, 'CONTAINER_EXITED');
	assert.equal(
		(await failureOf(bed.cri.StartContainer({ container_id: id }))).condition,
		'FAILED_PRECONDITION',
	);
});

test('a container is started once', async () => {
	const id = await bed.run(pod);
	const failure = await failureOf(bed.cri.StartContainer({ container_id: id }));
	assert.equal(failure.condition, 'FAILED_PRECONDITION');
	assert.match(failure.message, /running, not created/);
});

test('a program that cannot run leaves the container exited with StartError', async () => {
	const cases: readonly (readonly [string, RegExp])[] = [
		['nosuchprogram', /nosuchprogram.*not found/],
		['/no/such/path', /no such file/],
		['/bin/notexecutable', /permission denied/],
		['/data', /is a directory|permission denied/],
		['/bin/garbage', /exec format error/],
	];
	for (const [program, why] of cases) {
		const id = await bed.create(pod, { command: [program] });
		const failure = await failureOf(bed.cri.StartContainer({ container_id: id }));
		assert.match(failure.message, why);
		assert.notEqual(failure.condition, 'NOT_FOUND');
		assert.notEqual(failure.condition, 'INTERNAL');
		const status = await statusOf(id);
		assert.deepEqual(
			[status.state, status.exit_code, status.reason],
			['CONTAINER_EXITED', 128, 'StartError'],
		);
		assert.match(status.message, why);
	}
});

test('removing kills what runs, and takes layers, cgroups and names back', async () => {
	const config = containerConfig();
	const id = await bed.run(pod, config);
	const { cgroupsPath } = bed.daemon.containers.get(id)?.metadata ?? assert.fail();
	assert.ok(bed.daemon.cgroups.folders(cgroupsPath).some(existsSync));
	await bed.sh(id, 'echo something > /written');
	await Promise.all([
		bed.cri.RemoveContainer({ container_id: id }),
		bed.cri.RemoveContainer({ container_id: id }),
	]);
	await bed.cri.RemoveContainer({ container_id: id });
	assert.equal((await failureOf(bed.cri.ContainerStatus({ container_id: id }))).condition, 'NOT_FOUND');
	assert.deepEqual(bed.daemon.cgroups.folders(cgroupsPath).filter(existsSync), []);
	assert.ok(!existsSync(join(bed.folder, 'root/containers', id)));
	assert.ok(!bed.images.leases.has(id));
	const again = await bed.create(pod, config);
	await bed.cri.RemoveContainer({ container_id: again });
	const types = bed.events.filter(({ containerId }) => containerId === id).map(({ type }) => type);
	assert.deepEqual(types.slice(-2), ['CONTAINER_STOPPED_EVENT', 'CONTAINER_DELETED_EVENT']);
});

test('children in a shared process namespace do not outlive the container', async () => {
	const pid = await bed.run(pod, {
		command: ['sh', '-c', 'sleep 1234 & echo started; sleep 0.1'],
		linux: { security_context: { namespace_options: { pid: 'POD' } } },
	});
	await bed.daemon.containers.exited(pid);
	const { cgroupsPath } = bed.daemon.containers.get(pid)?.metadata ?? assert.fail();
	for (let tries = 0; tries < 100 && (await bed.daemon.cgroups.processes(cgroupsPath)).length > 0; tries++) {
		await new Promise((resolve) => setTimeout(resolve, 10));
	}
	assert.deepEqual(await bed.daemon.cgroups.processes(cgroupsPath), []);
});

test('exec answers output and exit code, and takes its time limit seriously', async () => {
	const id = await bed.run(pod, {
		linux: { security_context: { run_as_user: { value: 1000 }, namespace_options: { pid: 'CONTAINER' } } },
		envs: [{ key: 'SET', value: Buffer.from('yes') }],
	});
	const exec = async (cmd: string[], timeout = 20) =>
		await bed.cri.ExecSync({ container_id: id, cmd, timeout });
	const both = await exec(['sh', '-c', 'echo out; echo err >&2; exit 3']);
	assert.deepEqual([both.exit_code, String(both.stdout), String(both.stderr)], [3, 'out\n', 'err\n']);
	assert.equal(String((await exec(['sh', '-c', 'echo $(id -u) $SET'])).stdout), '1000 yes\n');
	const late = await failureOf(exec(['sleep', '100'], 1));
	assert.equal(late.condition, 'DEADLINE_EXCEEDED');
	assert.match(late.message, /1 s/);
	const missing = await failureOf(exec(['nosuchprogram']));
	assert.equal(missing.condition, 'INVALID_ARGUMENT');
	assert.match(missing.message, /nosuchprogram.*not found/);
	assert.equal((await failureOf(exec([]))).condition, 'INVALID_ARGUMENT');
	assert.equal((await failureOf(exec(['/bin/notexecutable']))).condition, 'PERMISSION_DENIED');
	assert.equal(
		await bed.sh(id, 'ps | grep -c "sleep 100$" || true'),
		'0',
		'the command was killed at its time limit',
	);
	await bed.cri.StopContainer({ container_id: id, timeout: 0 });
	assert.equal((await failureOf(exec(['true']))).condition, 'FAILED_PRECONDITION');
});

test('exec keeps no more output than configured', async () => {
	await using small = await TestBed.start(['runtime.exec_output_max_bytes=4096']);
	const id = await small.run(await small.runPod());
	const { stdout, exit_code } = await small.cri.ExecSync({
		container_id: id,
		cmd: ['sh', '-c', 'yes | head -c 1000000'],
		timeout: 20,
	});
	assert.deepEqual([stdout.length, exit_code], [4096, 0]);
});

test('an update changes the limits in force, and only the ones it names', async () => {
	const id = await bed.run(pod, {
		linux: { resources: { cpu_shares: 512, memory_limit_in_bytes: 64 << 20 } },
	});
	await bed.cri.UpdateContainerResources({ container_id: id, linux: { memory_limit_in_bytes: 96 << 20 } });
	const { resources } = await statusOf(id);
	assert.deepEqual(
		[resources?.linux?.cpu_shares, resources?.linux?.memory_limit_in_bytes],
		['512', String(96 << 20)],
	);
	const { cgroupsPath } = bed.daemon.containers.get(id)?.metadata ?? assert.fail();
	assert.equal(bed.daemon.cgroups.stats(cgroupsPath).memory.limitBytes, BigInt(96 << 20));
	const bad = await failureOf(
		bed.cri.UpdateContainerResources({ container_id: id, linux: { cpu_shares: 256, cpuset_cpus: '4000' } }),
	);
	assert.notEqual(bad.condition, undefined);
	assert.equal((await statusOf(id)).resources?.linux?.cpu_shares, '512');
	await bed.cri.StopContainer({ container_id: id, timeout: 0 });
	const late = bed.cri.UpdateContainerResources({ container_id: id, linux: { cpu_shares: 2 } });
	assert.equal((await failureOf(late)).condition, 'FAILED_PRECONDITION');
});

test('a log is reopened under its name', async () => {
	const id = await bed.run(pod, {
		command: ['sh', '-c', 'while true; do echo line; sleep 0.02; done'],
		log_path: 'rotated.log',
	});
	const { log_path } = await statusOf(id);
	renameSync(log_path, `${log_path}.1`);
	await bed.cri.ReopenContainerLog({ container_id: id });
	assert.ok(existsSync(log_path));
	assert.match(readFileSync(`${log_path}.1`, 'utf8'), /^(\S+ stdout F line\n)*$/);
	await bed.cri.StopContainer({ container_id: id, timeout: 0 });
	assert.equal(
		(await failureOf(bed.cri.ReopenContainerLog({ container_id: id }))).condition,
		'FAILED_PRECONDITION',
	);
});

test('calls with the same metadata at the same time get the same sandbox and container', async () => {
	const config = bed.podConfig();
	const ids = await Promise.all([1, 2, 3].map(() => bed.cri.RunPodSandbox({ config })));
	assert.equal(new Set(ids.map(({ pod_sandbox_id }) => pod_sandbox_id)).size, 1);
	const id = ids[0]?.pod_sandbox_id ?? '';
	const taken = await failureOf(bed.cri.RunPodSandbox({ config }));
	assert.equal(taken.condition, 'ALREADY_EXISTS');
	assert.ok(taken.message.includes(id));
	const container = { pod_sandbox_id: id, config: containerConfig() };
	const made = await Promise.all([1, 2].map(() => bed.cri.CreateContainer(container)));
	assert.equal(made[0]?.container_id, made[1]?.container_id);
	assert.equal((await failureOf(bed.cri.CreateContainer(container))).condition, 'ALREADY_EXISTS');
	await bed.cri.RemovePodSandbox({ pod_sandbox_id: id });
});

test('a client that leaves finds the sandbox with its next call', async () => {
	const config = bed.podConfig();
	const impatient = await failureOf(bed.cri.RunPodSandbox({ config }, { timeoutMs: 5 }));
	assert.equal(impatient.condition, 'DEADLINE_EXCEEDED');
	const { pod_sandbox_id } = await bed.cri.RunPodSandbox({ config });
	assert.equal((await bed.cri.PodSandboxStatus({ pod_sandbox_id })).status?.state, 'SANDBOX_READY');
	await bed.cri.RemovePodSandbox({ pod_sandbox_id });
});

test('stopping a sandbox ends its containers; stop and remove may be repeated', async () => {
	const id = await bed.runPod();
	const running = await bed.run(id);
	const created = await bed.create(id);
	await Promise.all([
		bed.cri.StopPodSandbox({ pod_sandbox_id: id }),
		bed.cri.StopPodSandbox({ pod_sandbox_id: id }),
	]);
	await bed.cri.StopPodSandbox({ pod_sandbox_id: id });
	for (const container of [running, created])
		assert.equal((await statusOf(container)).state, 'CONTAINER_EXITED');
	const { status } = await bed.cri.PodSandboxStatus({ pod_sandbox_id: id });
	assert.equal(status?.state, 'SANDBOX_NOTREADY');
	assert.equal((await failureOf(bed.create(id))).condition, 'FAILED_PRECONDITION');
	await Promise.all([
		bed.cri.RemovePodSandbox({ pod_sandbox_id: id }),
		bed.cri.RemovePodSandbox({ pod_sandbox_id: id }),
	]);
	await bed.cri.RemovePodSandbox({ pod_sandbox_id: id });
	assert.equal((await failureOf(bed.cri.PodSandboxStatus({ pod_sandbox_id: id }))).condition, 'NOT_FOUND');
	const types = bed.events
		.filter(({ containerId }) => containerId === id)
		.map(({ type }) => type.replace(/CONTAINER_(.*)_EVENT/, '$1'));
	assert.deepEqual(types, ['CREATED', 'STARTED', 'STOPPED', 'DELETED']);
});

test('containers that are made while their sandbox stops leave nothing behind', async () => {
	const id = await bed.runPod();
	const creations = [1, 2, 3, 4].map(() => bed.create(id).catch((error: unknown) => error));
	await new Promise((resolve) => setTimeout(resolve, 8));
	await bed.cri.RemovePodSandbox({ pod_sandbox_id: id });
	await Promise.all(creations);
	assert.deepEqual(
		bed.leftObjects().filter((name) => name.includes(id)),
		[],
	);
	const own = new Set(
		[pod, ...bed.daemon.containers.ofSandbox(pod).map(({ metadata }) => metadata.id)].map((each) =>
			each.slice(0, 20),
		),
	);
	const strangers = bed.leftObjects().filter((name) => ![...own].some((each) => name.includes(each)));
	assert.deepEqual(strangers, []);
});

test('lists are filtered by id, state, sandbox and labels', async () => {
	const id = await bed.runPod({ labels: { app: 'web', tier: 'front' } });
	const container = await bed.create(id, { labels: { app: 'web' } });
	const pods = async (filter: object) =>
		(await bed.cri.ListPodSandbox({ filter })).items.map((item) => item.id);
	assert.deepEqual(await pods({ label_selector: { app: 'web', tier: 'front' } }), [id]);
	assert.deepEqual(await pods({ label_selector: { app: 'other' } }), []);
	assert.deepEqual(await pods({ id: id.slice(0, 12) }), [id]);
	assert.deepEqual(await pods({ id, state: { state: 'SANDBOX_NOTREADY' } }), []);
	const containers = async (filter: object) =>
		(await bed.cri.ListContainers({ filter })).containers.map((item) => item.id);
	assert.deepEqual(await containers({ pod_sandbox_id: id }), [container]);
	assert.deepEqual(await containers({ id: container, state: { state: 'CONTAINER_RUNNING' } }), []);
	assert.deepEqual(
		await containers({ label_selector: { app: 'web' }, state: { state: 'CONTAINER_CREATED' } }),
		[container],
	);
	await bed.cri.RemovePodSandbox({ pod_sandbox_id: id });
});

test('verbose status tells pid, spec and timeline', async () => {
	const id = await bed.run(pod);
	const { info } = await bed.cri.ContainerStatus({ container_id: id, verbose: true });
	const parsed = JSON.parse(info.info ?? '');
	assert.equal(parsed.runtimeSpec.process.args[0], 'sleep');
	assert.ok(parsed.pid > 0);
	assert.ok(parsed.timeline.some(({ name }: { name: string }) => name === 'create'));
	assert.ok(existsSync(parsed.plan));
	const sandbox = await bed.cri.PodSandboxStatus({ pod_sandbox_id: pod, verbose: true });
	const pausePid = JSON.parse(sandbox.info.info ?? '').pid;
	assert.equal(readFileSync(`/proc/${pausePid}/cmdline`, 'utf8'), '/pause\0');
});

test('a sandbox with the network of the node', async () => {
	const id = await bed.runPod({
		linux: { security_context: { namespace_options: { network: 'NODE' } } },
		port_mappings: [{ container_port: 8080, host_port: 8080 }],
	});
	const { text } = await bed.runScript(id, 'readlink /proc/self/ns/net; readlink /proc/self/ns/uts');
	const { readlinkSync } = await import('node:fs');
	assert.equal(text, `${readlinkSync('/proc/self/ns/net')}\n${readlinkSync('/proc/self/ns/uts')}`);
	await bed.cri.StopPodSandbox({ pod_sandbox_id: id });
	await bed.cri.RemovePodSandbox({ pod_sandbox_id: id });
});
