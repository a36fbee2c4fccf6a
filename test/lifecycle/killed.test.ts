/**
 * The daemon is killed (SIGKILL) while pods and containers are being made, started, stopped and removed, again and
 * again, at moments that differ from run to run. Afterwards everything that it lists can be used or removed, and
 * nothing is on the machine that it does not list.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startTestDaemon, type TestDaemon } from '../support/daemon.ts';
import { lastingStrangersOf } from '../support/leftovers.ts';
import { busyboxEntries, startRegistry } from '../support/registry.ts';

const ROUNDS = 6;
const PODS = 6;

/** The whole life of one pod; whatever fails because the daemon is killed is no matter here. */
async function live({ cri }: TestDaemon, image: string, name: string): Promise<void> {
	const metadata = { name, namespace: 'tests', uid: name, attempt: 0 };
	const { pod_sandbox_id } = await cri.RunPodSandbox({ config: { metadata } });
	const config = { metadata: { name: 'main', attempt: 0 }, image: { image }, command: ['sleep', '1000'] };
	const { container_id } = await cri.CreateContainer({ pod_sandbox_id, config });
	await cri.StartContainer({ container_id });
	await cri.ExecSync({ container_id, cmd: ['true'], timeout: 10 });
	await cri.StopContainer({ container_id, timeout: 0 });
	await cri.RemoveContainer({ container_id });
	await cri.RemovePodSandbox({ pod_sandbox_id });
}

/** What is on the machine and belongs to nothing that the daemon lists. */
async function strangers({ cri, instance, folder }: TestDaemon): Promise<string[]> {
	const { items } = await cri.ListPodSandbox();
	const { containers } = await cri.ListContainers();
	return await lastingStrangersOf({
		instance,
		folder,
		sandboxes: idsOf(items),
		containers: idsOf(containers),
	});
}

const idsOf = (objects: readonly { readonly id: string }[]): string[] => objects.map(({ id }) => id);

test('a daemon that is killed at any moment leaves nothing that it does not find again', async () => {
	await using registry = await startRegistry();
	const { reference } = await registry.pushImage({
		name: 'busybox',
		layers: [{ entries: busyboxEntries() }],
	});
	await using daemon = await startTestDaemon({ config: 'network.provider = "builtin"\n' });
	await daemon.cri.PullImage({ image: { image: reference } });
	for (let round = 0; round < ROUNDS; round++) {
		const lives = Promise.allSettled(
			Array.from({ length: PODS }, (_, index) => live(daemon, reference, `pod-${round}-${index}`)),
		);
		await sleep(20 + Math.random() * 300);
		await daemon.stop('SIGKILL');
		await lives;
		await daemon.start();
		assert.deepEqual(await strangers(daemon), [], `round ${round}`);
		const { containers } = await daemon.cri.ListContainers({
			filter: { state: { state: 'CONTAINER_RUNNING' } },
		});
		for (const { id } of containers) {
			const { exit_code } = await daemon.cri.ExecSync({ container_id: id, cmd: ['true'], timeout: 10 });
			assert.equal(exit_code, 0, 'a container that is listed as running runs');
		}
		const { items } = await daemon.cri.ListPodSandbox();
		for (const { id } of items) await daemon.cri.RemovePodSandbox({ pod_sandbox_id: id });
		assert.deepEqual(await strangers(daemon), [], `round ${round}, after the removal`);
		const { containers: orphans } = await daemon.cri.ListContainers();
		assert.deepEqual(orphans, []);
	}
});
