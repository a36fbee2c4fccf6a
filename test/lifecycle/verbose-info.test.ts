/** What a verbose status tells people who look for a fault, and tools that know other runtimes. */
import assert from 'node:assert/strict';
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { until } from '../support/until.ts';
import { failureOf, TestBed } from './harness.ts';

let bed: TestBed;
let pod: string;

before(async () => {
	bed = await TestBed.start();
	pod = await bed.runPod();
});
after(async () => await bed[Symbol.asyncDispose]());

// biome-ignore lint/suspicious/noExplicitAny: it is JSON for people
type Info = any;

async function containerInfo(id: string): Promise<Info> {
	const { info } = await bed.cri.ContainerStatus({ container_id: id, verbose: true });
	return JSON.parse(info.info ?? '');
}
async function podInfo(id: string): Promise<Info> {
	const { info } = await bed.cri.PodSandboxStatus({ pod_sandbox_id: id, verbose: true });
	return JSON.parse(info.info ?? '');
}

test('of a container: process, folders, cgroup, log, spec', async () => {
	const id = await bed.run(pod, { log_path: 'told.log', command: ['sleep', '1000'] });
	const info = await containerInfo(id);
	assert.equal(readFileSync(`/proc/${info.pid}/cmdline`, 'utf8'), 'sleep\x001000\0');
	assert.deepEqual(info.processes, [info.pid]);
	assert.deepEqual(
		[info.sandboxID, info.sandboxId, info.privileged, info.removing],
		[pod, pod, false, false],
	);
	assert.equal(info.runtimeSpec.process.args[0], 'sleep');
	assert.equal(info.runtimeSpec.linux.cgroupsPath, info.cgroupsPath);
	for (const path of [info.bundle, info.plan, info.snapshot.upper, ...info.snapshot.lowers, ...info.cgroups])
		assert.ok(existsSync(path), path);
	assert.equal(info.snapshot.lowers.length, 1);
	const stages = info.timeline.map(({ name }: { name: string }) => name);
	assert.ok(stages.includes('create'), stages.join());
	assert.deepEqual(info.underWay, []);
	assert.deepEqual(info.recentErrors, []);

	assert.equal(info.log.lostBytes, 0);
	const loss =
		'2026-01-01T00:00:00.000000000Z stderr F gantry: 120 bytes of output were lost here: No space\n';
	appendFileSync(info.log.path, loss + loss);
	assert.equal((await containerInfo(id)).log.lostBytes, 240);
});

test('capabilities that the daemon may not give are told, by name and by ALL', async () => {
	const missing = bed.daemon.containers.host.missingCapabilities;
	for (const name of [...missing, 'ALL']) {
		const security_context = { capabilities: { add_capabilities: [name] } };
		const id = await bed.run(pod, { linux: { security_context } });
		const { withheldCapabilities, runtimeSpec } = await containerInfo(id);
		assert.deepEqual(withheldCapabilities, name === 'ALL' ? missing : [name]);
		assert.ok(!missing.some((one) => runtimeSpec.process.capabilities.bounding.includes(one)));
		await bed.cri.RemoveContainer({ container_id: id });
	}
	assert.deepEqual((await containerInfo(await bed.run(pod))).withheldCapabilities, []);
});

test('the last errors of calls on an object stand with it', async () => {
	const id = await bed.run(pod);
	const failure = await failureOf(
		bed.cri.UpdateContainerResources({ container_id: id.slice(0, 13), linux: { cpu_period: -1 } }),
	);
	const { recentErrors } = await containerInfo(id);
	assert.deepEqual(
		recentErrors.map(({ rpc, code, message }: Info) => [rpc, code, message]),
		[['UpdateContainerResources', 'INVALID_ARGUMENT', failure.message]],
	);
	assert.deepEqual((await podInfo(pod)).recentErrors, []);
	await failureOf(bed.cri.CreateContainer({ pod_sandbox_id: pod, config: {} }));
	assert.equal((await podInfo(pod)).recentErrors.length, 1);
});

test('a container that has ended: no process, and its folders still', async () => {
	const id = await bed.run(pod, { command: ['true'] });
	await bed.daemon.containers.exited(id);
	const info = await containerInfo(id);
	assert.equal(info.processes, undefined);
	assert.ok(existsSync(info.snapshot.upper));
});

test('what is under way: a stop that waits, and who holds it up', async () => {
	const id = await bed.run(pod, {
		command: ['sh', '-c', "trap '' TERM; touch /deaf; while :; do sleep 0.1; done"],
	});
	await bed.sh(id, 'while ! [ -e /deaf ]; do sleep 0.01; done');
	const stop = bed.cri.StopContainer({ container_id: id, timeout: 1000 });
	await until('the stop is told', async () => (await containerInfo(id)).underWay.includes('stop'));
	await bed.cri.StopContainer({ container_id: id, timeout: 0 });
	await stop;
	assert.deepEqual((await containerInfo(id)).underWay, []);
});

test('of a sandbox: processes, network, folders, spec with its hooks', async () => {
	const info = await podInfo(pod);
	assert.equal(readFileSync(`/proc/${info.pid}/cmdline`, 'utf8'), '/pause\0');
	assert.ok(existsSync(`/proc/${info.shimPid}`));
	for (const path of [info.bundle, info.plan, info.files, info.shimSocket]) assert.ok(existsSync(path), path);
	assert.equal(info.network.interfaceName, 'eth0');
	assert.ok(info.networkPlan.length > 0);
	assert.equal(info.networkReleased, false);
	assert.equal(info.runtimeSpec.hooks.createRuntime.length, 1);
	assert.ok(info.timeline.length > 0);
	assert.deepEqual(info.underWay, []);
});

test('Status tells what is being made, and the errors of the last calls with what they were about', async () => {
	const { info } = await bed.cri.Status({ verbose: true });
	assert.deepEqual(JSON.parse(info.making ?? ''), { sandboxes: [], containers: [] });
	const errors = JSON.parse(info.recentErrors ?? '');
	assert.equal(errors.at(-1).sandbox, pod);
});
