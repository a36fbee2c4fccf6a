/** A process of the instance has no descriptors left: what needs one fails, what needs none goes on, and it heals. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { StatusError } from '#base/errors.ts';
import { until } from '../support/until.ts';
import { FewDescriptors } from './limits.ts';
import { exhausted, Stage } from './stage.ts';

/** More descriptors than any call holds at a time. */
const ENOUGH = 40;

let stage: Stage;
let pod: string;
let container: string;
before(async () => {
	stage = await Stage.set();
	pod = await stage.runPod();
	container = await stage.run(pod);
});
after(() => stage[Symbol.asyncDispose]());

/** Makes a pod with a container in it, executes something and pulls an image; removes all of it again. */
async function wholeLife(image: string): Promise<void> {
	const { cri } = stage;
	const pod_sandbox_id = await stage.runPod();
	try {
		const container_id = await stage.run(pod_sandbox_id);
		assert.equal(await stage.sh(container_id, 'echo alive'), 'alive');
		await cri.PullImage({ image: { image } });
		await cri.RemoveImage({ image: { image } });
	} finally {
		await cri.RemovePodSandbox({ pod_sandbox_id });
	}
}

/** The call with more and more descriptors for the process, until it succeeds. */
async function withMoreAndMore(pid: number, call: () => Promise<void>): Promise<void> {
	for (let more = 0; more < ENOUGH; more++) {
		using _few = new FewDescriptors(pid, more);
		try {
			return await call();
		} catch (error) {
			assert.ok(error instanceof StatusError);
			assert.equal(error.condition, 'RESOURCE_EXHAUSTED', `with ${more}: ${error.message}`);
			assert.match(error.message, /EMFILE/);
		}
	}
	assert.fail(`${ENOUGH} descriptors are not enough`);
}

/** What could not be removed for want of descriptors is removed now, or removes itself. */
async function clearUp(before: readonly string[]): Promise<void> {
	const { cri } = stage;
	const { items } = await cri.ListPodSandbox();
	for (const { id } of items) if (id !== pod) await cri.RemovePodSandbox({ pod_sandbox_id: id });
	await stage.settles(before);
	assert.equal(await stage.sh(container, 'echo alive'), 'alive');
}

test('the daemon', async () => {
	const pid = stage.daemon.process.child.pid ?? 0;
	const image = await stage.push(1000);
	const before = await stage.everything();
	await withMoreAndMore(pid, () => wholeLife(image));
	await clearUp(before);
});

test('the daemon answers List and Status without any', async () => {
	const { cri, daemon } = stage;
	using _none = new FewDescriptors(daemon.process.child.pid ?? 0);
	assert.equal((await cri.ListPodSandbox()).items.length, 1);
	assert.equal((await cri.ListContainers()).containers.length, 1);
	assert.equal((await cri.ListImages()).images.length, 1);
	assert.match(await stage.stateOf(container), /^CONTAINER_RUNNING/);
	assert.equal((await cri.PodSandboxStatus({ pod_sandbox_id: pod })).status?.state, 'SANDBOX_READY');
	assert.equal(
		(await cri.Status()).status?.conditions.every(({ status }) => status),
		true,
	);
});

test('the launcher', async () => {
	const { info } = await stage.cri.Status({ verbose: true });
	const image = await stage.push(1000);
	const before = await stage.everything();
	await withMoreAndMore(JSON.parse(info.runtime ?? '').launcherPid, () => wholeLife(image));
	await clearUp(before);
});

test('a shim: its own pod only', async () => {
	const { cri } = stage;
	const other = await stage.runPod();
	const { info } = await cri.PodSandboxStatus({ pod_sandbox_id: pod, verbose: true });
	const { shimPid } = JSON.parse(info.info ?? '');
	const before = await stage.everything();
	{
		using _none = new FewDescriptors(shimPid);
		await exhausted(stage.sh(container, 'true'), 'EMFILE');
		await exhausted(stage.create(pod), 'EMFILE');
		const elsewhere = await stage.run(other);
		assert.equal(await stage.sh(elsewhere, 'echo alive'), 'alive');
		await cri.RemoveContainer({ container_id: elsewhere });
	}
	await stage.settles(before);
	await withMoreAndMore(shimPid, async () => {
		const container_id = await stage.run(pod, { tty: true });
		assert.equal(await stage.sh(container_id, 'echo alive'), 'alive');
		await cri.RemoveContainer({ container_id });
	});
	for (const { id } of (await cri.ListContainers()).containers)
		if (id !== container) await cri.RemoveContainer({ container_id: id });
	await clearUp(before.filter((name) => !name.includes(other.slice(0, 20))));
});

test('a shim, while the daemon starts: its pod lives on and is taken over once there are some', async () => {
	const { cri, daemon } = stage;
	const { info } = await cri.PodSandboxStatus({ pod_sandbox_id: pod, verbose: true });
	const { shimPid } = JSON.parse(info.info ?? '');
	await daemon.stop();
	{
		using _none = new FewDescriptors(shimPid);
		await daemon.start();
		await daemon.process.line(/is asked again/);
	}
	const answers = (): Promise<boolean> =>
		stage.sh(container, 'true').then(
			() => true,
			() => false,
		);
	await until('its shim is taken over', answers);
	assert.equal((await cri.PodSandboxStatus({ pod_sandbox_id: pod })).status?.state, 'SANDBOX_READY');
	assert.match(await stage.stateOf(container), /^CONTAINER_RUNNING/);
});
