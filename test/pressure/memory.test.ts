/** A daemon with little memory does all its work: nothing that passes through it is held as a whole. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { startTestDaemon } from '../support/daemon.ts';
import { busyboxEntries, startRegistry } from '../support/registry.ts';
import { MemoryLimit } from './limits.ts';

const MEBIBYTE = 1024 * 1024;
/** Twice what an idle daemon has. */
const LIMIT = 320 * MEBIBYTE;
/** Of one layer; the image has several. */
const LAYER = 96 * MEBIBYTE;

test('an image larger than the memory is pulled, and much output goes through', async () => {
	await using registry = await startRegistry();
	const much = (name: string) => ({
		entries: [{ name, data: randomBytes(LAYER) }],
		compression: 'none' as const,
	});
	const { reference: image } = await registry.pushImage({
		name: 'large',
		layers: [{ entries: busyboxEntries() }, ...['a', 'b', 'c', 'd'].map(much)],
	});
	using limit = new MemoryLimit(`gantry-test-${process.pid}`, LIMIT);
	await using daemon = await startTestDaemon({ config: 'network.provider = "builtin"\n' });
	const { cri } = daemon;
	await daemon.stop();
	await limit.within(() => daemon.start());

	await cri.PullImage({ image: { image } });
	const metadata = { name: 'pod', namespace: 'pressure', uid: 'uid', attempt: 0 };
	const { pod_sandbox_id } = await cri.RunPodSandbox({ config: { metadata } });
	const config = { metadata: { name: 'main', attempt: 0 }, image: { image }, command: ['sleep', '1000'] };
	const { container_id } = await cri.CreateContainer({ pod_sandbox_id, config });
	await cri.StartContainer({ container_id });
	for (let round = 0; round < 20; round++) {
		const cmd = ['head', '-c', String(8 * MEBIBYTE), '/dev/zero'];
		const outputs = await Promise.all([1, 2].map(() => cri.ExecSync({ container_id, cmd, timeout: 60 })));
		assert.deepEqual(
			outputs.map(({ stdout }) => stdout.length),
			[8 * MEBIBYTE, 8 * MEBIBYTE],
		);
	}
	assert.equal(limit.kills, 0);
});
