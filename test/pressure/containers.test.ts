/** Whatever a container fills, it does not fill the folder of the records, on which every pod depends. */
import assert from 'node:assert/strict';
import { statfsSync } from 'node:fs';
import { test } from 'node:test';
import { Stage } from './stage.ts';

/** Everything that it may write to, until nothing more goes in. */
const FILL = `
for file in /etc/hosts /etc/hostname /etc/resolv.conf /dev/shm/x /tmp/x /dev/x; do
	cat /dev/zero >>$file 2>/dev/null
done
mkdir /tmp/many /dev/shm/many
for folder in /tmp /dev/shm; do
	i=0
	while test $i -lt 5000 && true 2>/dev/null >$folder/many/$i; do i=$((i + 1)); done
done
true`;

test('a container that fills everything it can write to', async () => {
	await using stage = await Stage.set();
	const { cri, disks } = stage;
	const [pod, other] = [await stage.runPod(), await stage.runPod()];
	const neighbour = await stage.run(other);
	const linux = { resources: { memory_limit_in_bytes: String(256 * 1024 * 1024) } };
	const container = await stage.run(pod, { linux });
	// Their plans, for people, are written a moment later, or when somebody looks.
	for (const id of [pod, other]) await cri.PodSandboxStatus({ pod_sandbox_id: id, verbose: true });
	const { bavail, ffree } = statfsSync(disks.state.path);
	await stage.sh(container, FILL);
	assert.equal(statfsSync(disks.root.path).bavail, 0, 'it has filled the disk that its own layer is on');
	const after = statfsSync(disks.state.path);
	assert.ok(after.bavail >= bavail - 1 && after.ffree === ffree, 'and nothing of the records');
	assert.equal(await stage.sh(neighbour, 'echo alive'), 'alive');
	await cri.StopContainer({ container_id: neighbour, timeout: 0 });
	assert.equal(await stage.stateOf(neighbour), 'CONTAINER_EXITED 137 Error');
	await cri.RemovePodSandbox({ pod_sandbox_id: pod });
	const container_id = await stage.run(other);
	assert.equal(await stage.sh(container_id, 'echo alive'), 'alive');
});
