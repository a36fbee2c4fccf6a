/** A cgroup lets no more processes in: what must fork there fails, the neighbours go on, and it heals. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { FewProcesses } from './limits.ts';
import { exhausted, Stage } from './stage.ts';

let stage: Stage;
let pod: string;
let other: string;
let neighbour: string;
before(async () => {
	stage = await Stage.set();
	pod = await stage.runPod();
	other = await stage.runPod();
	neighbour = await stage.run(other);
});
after(() => stage[Symbol.asyncDispose]());

const cgroupOf = (id: string): string => `${stage.daemon.instance}/${stage.daemon.instance}-${id}`;

test('of a container: its own exec fails', async () => {
	const container = await stage.run(pod);
	{
		using limit = new FewProcesses(cgroupOf(container));
		if (limit.refusesJoining) await exhausted(stage.sh(container, 'true'), 'EAGAIN', container);
		else assert.equal(await stage.sh(container, 'echo alive'), 'alive');
		assert.equal(await stage.sh(neighbour, 'echo alive'), 'alive');
		assert.match(await stage.stateOf(container), /^CONTAINER_RUNNING/);
	}
	assert.equal(await stage.sh(container, 'echo alive'), 'alive');
	await stage.cri.RemoveContainer({ container_id: container });
});

test('of a pod: nothing more can be made in it, what waits for its start can start', async () => {
	const { instance } = stage.daemon;
	const parent = `/${instance}/pod`;
	const metadata = { name: 'full', namespace: 'pressure', uid: 'full', attempt: 0 };
	const config = { metadata, linux: { cgroup_parent: parent } };
	const { pod_sandbox_id } = await stage.cri.RunPodSandbox({ config });
	const running = await stage.run(pod_sandbox_id);
	const waiting = await stage.create(pod_sandbox_id);
	const before = await stage.everything();
	{
		using limit = new FewProcesses(parent);
		if (limit.refusesJoining) {
			await exhausted(stage.create(pod_sandbox_id), 'EAGAIN');
			await exhausted(stage.sh(running, 'true'), 'EAGAIN');
			assert.deepEqual(await stage.everything(), before);
		}
		await stage.cri.StartContainer({ container_id: waiting });
		assert.equal(await stage.sh(neighbour, 'echo alive'), 'alive');
		// What has ended makes room.
		await stage.cri.StopContainer({ container_id: waiting, timeout: 0 });
		await stage.cri.RemoveContainer({ container_id: waiting });
		assert.equal(await stage.sh(running, 'echo alive'), 'alive');
	}
	await stage.cri.RemovePodSandbox({ pod_sandbox_id });
});

test('of the launcher and the shims: no pod and no container, but what runs goes on', async () => {
	const { cri, daemon } = stage;
	const before = await stage.everything();
	const ends = await stage.run(pod, {
		command: ['sh', '-c', 'trap "exit 7" TERM; while :; do sleep 0.05; done'],
	});
	const image = await stage.push(1000);
	{
		using _none = new FewProcesses(`${daemon.instance}-system`);
		await exhausted(stage.runPod('refused'), 'EAGAIN', 'pids.max');
		await exhausted(stage.create(pod), 'EAGAIN');
		await exhausted(stage.sh(neighbour, 'true'), 'EAGAIN');
		await exhausted(cri.PullImage({ image: { image } }), 'EAGAIN');
		await cri.StopContainer({ container_id: ends, timeout: 10 });
		assert.equal(await stage.stateOf(ends), 'CONTAINER_EXITED 7 Error');
		// What has ended is taken away without a process of its own.
		await cri.RemoveContainer({ container_id: ends });
	}
	await cri.RemovePodSandbox({ pod_sandbox_id: await stage.runPod('refused') });
	await cri.PullImage({ image: { image } });
	await cri.RemoveImage({ image: { image } });
	await stage.settles(before);
	assert.equal(await stage.sh(neighbour, 'echo alive'), 'alive');
});
