/** A newer daemon takes over what an older one left; what it cannot speak to goes on and can be removed. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { TestBed } from '../lifecycle/harness.ts';
import { startTestDaemon } from '../support/daemon.ts';
import { layOut, RECORDED_INSTANCE, RECORDINGS } from './recording.ts';

for (const name of readdirSync(RECORDINGS))
	test(`the folder of ${name} is read: everything is listed as ended, and can be removed`, async () => {
		const instance = `t${randomBytes(3).toString('hex')}`.padEnd(RECORDED_INSTANCE.length, '0');
		const folder = mkdtempSync(`/tmp/gantry-${instance}-`);
		layOut(name, { folder, instance });
		await using daemon = await startTestDaemon({
			folder,
			instance,
			config: 'network.provider = "builtin"\n',
		});
		const { cri } = daemon;
		const { items } = await cri.ListPodSandbox();
		assert.deepEqual(
			items.map(({ metadata, state, labels }) => [metadata?.name, state, labels.app]).toSorted(),
			[
				['hostnet', 'SANDBOX_NOTREADY', 'hostnet'],
				['ready', 'SANDBOX_NOTREADY', 'ready'],
				['stopped', 'SANDBOX_NOTREADY', 'stopped'],
			],
		);
		const { containers } = await cri.ListContainers();
		const statuses = await Promise.all(
			containers.map(async ({ id }) => (await cri.ContainerStatus({ container_id: id })).status),
		);
		assert.deepEqual(
			statuses.map((status) => [status?.metadata?.name, status?.exit_code, status?.reason]).toSorted(),
			[
				['created', 255, 'ContainerStatusUnknown'],
				['exited', 7, 'Error'],
				['running', 255, 'ContainerStatusUnknown'],
			],
		);
		const { images } = await cri.ListImages();
		assert.equal(images.length, 1);
		const metadata = { name: 'ready', namespace: 'recorded', uid: 'ready-uid', attempt: 0 };
		await assert.rejects(cri.RunPodSandbox({ config: { metadata } }), { condition: 'ALREADY_EXISTS' });
		for (const { id } of items) await cri.RemovePodSandbox({ pod_sandbox_id: id });
		const port_mappings = [{ container_port: 80, host_port: 24680 }];
		await cri.RunPodSandbox({ config: { metadata, port_mappings } });
		await cri.RemoveImage({ image: { image: images[0]?.id ?? '' } });
	});

test('a daemon of the next version of the protocol takes over live shims of this one', async () => {
	await using bed = await TestBed.start();
	const pod = await bed.runPod();
	const container = await bed.run(pod);
	await bed.crash();
	await bed.start({ oldest: 1, newest: 2 });
	assert.equal(await bed.sh(container, 'echo taken over'), 'taken over');
	await bed.cri.RemovePodSandbox({ pod_sandbox_id: pod });
	assert.deepEqual(bed.leftObjects(), []);
});

for (const versions of [
	{ oldest: 2, newest: 3 },
	{ oldest: 0, newest: 0 },
])
	test(`shims that a daemon of versions ${versions.oldest} to ${versions.newest} cannot speak to go on, UNKNOWN and removable`, async () => {
		await using bed = await TestBed.start();
		const [pod, other] = [await bed.runPod(), await bed.runPod()];
		const container = await bed.run(pod);
		const pid = bed.daemon.containers.get(container)?.status.process?.pid ?? 0;
		await bed.run(other);
		await bed.crash();
		await bed.start(versions);
		const { status } = await bed.cri.ContainerStatus({ container_id: container });
		assert.deepEqual([status?.state, status?.reason], ['CONTAINER_UNKNOWN', 'ShimNotUnderstood']);
		assert.match(
			status?.message ?? '',
			/speaks version 1 of the protocol.*use the gantryd that it came with/,
		);
		assert.ok(existsSync(`/proc/${pid}/exe`), 'it runs on');
		await bed.cri.StopPodSandbox({ pod_sandbox_id: other });
		await bed.cri.RemovePodSandbox({ pod_sandbox_id: other });
		await bed.crash();
		await bed.start();
		assert.equal(await bed.sh(container, 'echo the right daemon'), 'the right daemon');
		await bed.cri.RemovePodSandbox({ pod_sandbox_id: pod });
		assert.deepEqual(bed.leftObjects(), []);
	});
