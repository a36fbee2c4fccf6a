/** A volume from an image that was pulled: a whole daemon, a registry, and kills between. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startTestDaemon } from '../support/daemon.ts';
import { busyboxEntries, startRegistry } from '../support/registry.ts';

test('an image that is mounted cannot be removed, over a kill of the daemon, until its container is', async () => {
	await using registry = await startRegistry();
	const program = await registry.pushImage({
		name: 'volumes/busybox',
		tag: '1',
		layers: [{ entries: busyboxEntries() }],
		config: { Env: ['PATH=/bin'] },
	});
	const data = await registry.pushImage({
		name: 'volumes/data',
		tag: '1',
		layers: [
			{
				entries: [{ name: 'set/' }, { name: 'set/old', data: 'old\n' }, { name: 'set/kept', data: 'kept\n' }],
			},
			{ entries: [{ name: 'set/' }, { name: 'set/.wh.old' }, { name: 'set/new', data: 'new\n' }] },
		],
	});
	await using daemon = await startTestDaemon();
	const { cri } = daemon;
	for (const { reference } of [program, data]) await cri.PullImage({ image: { image: reference } });
	const metadata = { name: 'volumes', namespace: 'tests', uid: 'volumes-uid', attempt: 0 };
	const { pod_sandbox_id } = await cri.RunPodSandbox({ config: { metadata } });
	const { container_id } = await cri.CreateContainer({
		pod_sandbox_id,
		config: {
			metadata: { name: 'reader', attempt: 0 },
			image: { image: program.reference },
			command: ['sleep', '1000'],
			mounts: [
				{
					container_path: '/data',
					readonly: true,
					image: { image: data.imageId },
					image_sub_path: 'set',
				},
			],
		},
	});
	await cri.StartContainer({ container_id });
	const seen = async () => {
		const { stdout } = await cri.ExecSync({
			container_id,
			cmd: ['sh', '-c', 'ls /data; cat /data/*'],
			timeout: 20,
		});
		return Buffer.from(stdout).toString();
	};
	const refused = () =>
		assert.rejects(cri.RemoveImage({ image: { image: data.reference } }), {
			condition: 'FAILED_PRECONDITION',
			message: new RegExp(
				`^Cannot remove image ${data.reference} .*: container reader \\(${container_id.slice(0, 13)}\\) of pod tests/volumes, for a volume, uses it; remove that first$`,
			),
		});
	assert.equal(await seen(), 'kept\nnew\nkept\nnew\n');
	await refused();
	await daemon.stop('SIGKILL');
	await daemon.start();
	assert.equal(await seen(), 'kept\nnew\nkept\nnew\n');
	await refused();
	const { status } = await cri.ContainerStatus({ container_id });
	assert.equal(status?.mounts[0]?.image?.image_ref, data.imageId);
	await cri.RemoveContainer({ container_id });
	await cri.RemoveImage({ image: { image: data.reference } });
	const { images } = await cri.ListImages();
	assert.deepEqual(
		images.map(({ id }) => id),
		[program.imageId],
	);
	await cri.RemovePodSandbox({ pod_sandbox_id });
});
