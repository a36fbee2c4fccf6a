import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestBed } from './harness.ts';

test('a pod runs a container, which is seen, executed in, stopped and removed', async () => {
	await using bed = await TestBed.start();
	const sandbox = await bed.runPod({ labels: { app: 'web' } });
	const { status } = await bed.cri.PodSandboxStatus({ pod_sandbox_id: sandbox });
	assert.equal(status?.state, 'SANDBOX_READY');
	assert.match(status?.network?.ip ?? '', /^\d+\.\d+\.\d+\.\d+$/);
	const container = await bed.run(sandbox);
	assert.equal(await bed.sh(container, 'echo hello'), 'hello');
	assert.equal(await bed.sh(container, 'cat /data/file'), 'from the image');
	await bed.cri.StopContainer({ container_id: container, timeout: 1 });
	const stopped = await bed.cri.ContainerStatus({ container_id: container });
	assert.equal(stopped.status?.state, 'CONTAINER_EXITED');
	await bed.cri.RemoveContainer({ container_id: container });
	await bed.cri.StopPodSandbox({ pod_sandbox_id: sandbox });
	await bed.cri.RemovePodSandbox({ pod_sandbox_id: sandbox });
	assert.deepEqual(bed.leftObjects(), []);
});
