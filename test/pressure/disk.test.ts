/**
 * The disk of the state folder or of the root folder is full. What needs room fails and leaves nothing; what needs
 * none goes on; what makes room works; and as soon as there is room so does everything, without a restart.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../support/until.ts';
import type { Kind, Scarcity } from './small-disk.ts';
import { exhausted, Stage } from './stage.ts';

const CASES: readonly (readonly ['state' | 'root', Kind, Scarcity])[] = [
	['state', 'tmpfs', 'space'],
	['state', 'tmpfs', 'inodes'],
	['root', 'tmpfs', 'space'],
	['root', 'tmpfs', 'inodes'],
	['root', 'ext4', 'space'],
	['root', 'ext4', 'inodes'],
];

for (const [which, kind, scarcity] of CASES) {
	test(`no ${scarcity} on the ${kind} of the ${which} folder`, async () => {
		await using stage = await Stage.set(kind);
		const { cri, daemon } = stage;
		const disk = stage.disks[which];
		const pod = await stage.runPod();
		const created = await stage.create(pod);
		const ends = await stage.run(pod, {
			command: ['sh', '-c', 'trap "exit 7" TERM; while :; do sleep 0.05; done'],
		});
		const spare = await stage.push(1000);
		await cri.PullImage({ image: { image: spare } });
		const large = await stage.push(200_000);

		disk.fill(scarcity);
		const before = await stage.everything();
		await exhausted(stage.runPod('refused'), disk.path, 'ENOSPC');
		await exhausted(stage.create(pod, { metadata: { name: 'refused', attempt: 0 } }), disk.path, 'ENOSPC');
		if (which === 'root') await exhausted(cri.PullImage({ image: { image: large } }), disk.path, 'ENOSPC');
		assert.deepEqual(await stage.everything(), before, 'what failed has left something');

		await cri.StartContainer({ container_id: created });
		assert.equal(await stage.sh(created, 'echo alive'), 'alive');
		await cri.StopContainer({ container_id: ends, timeout: 10 });
		assert.equal(await stage.stateOf(ends), 'CONTAINER_EXITED 7 Error');

		disk.fill(scarcity);
		await daemon.stop('SIGKILL');
		await daemon.start();
		assert.equal(await stage.stateOf(ends), 'CONTAINER_EXITED 7 Error');
		assert.equal(await stage.sh(created, 'echo alive'), 'alive');
		await daemon.stop();
		await daemon.start();
		assert.equal(await stage.sh(created, 'echo alive'), 'alive');

		disk.fill(scarcity);
		await cri.RemoveContainer({ container_id: ends });
		disk.fill(scarcity);
		await cri.RemoveImage({ image: { image: spare } });
		disk.fill(scarcity);
		await cri.StopPodSandbox({ pod_sandbox_id: pod });
		disk.fill(scarcity);
		await cri.RemovePodSandbox({ pod_sandbox_id: pod });
		const left = async () => (await stage.everything()).filter((name) => !name.includes('image'));
		// With room enough, what containers wrote leaves the disk behind the answers.
		if (which === 'state') await until('all of it is gone', async () => (await left()).length === 0);
		assert.deepEqual(await left(), [], 'a removal has left something');

		disk.free();
		const again = await stage.runPod('refused');
		const container = await stage.run(again, { metadata: { name: 'refused', attempt: 0 } });
		assert.equal(await stage.sh(container, 'echo alive'), 'alive');
		await cri.PullImage({ image: { image: large } });
	});
}
