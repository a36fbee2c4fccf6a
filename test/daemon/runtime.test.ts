import assert from 'node:assert/strict';
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { StatusError } from '#base/errors.ts';
import { daemonArgs, spawnDaemon, startTestDaemon, type TestDaemon } from '../support/daemon.ts';

const failsWith = (condition: string, message: RegExp) => (error: unknown) => {
	assert.ok(error instanceof StatusError);
	assert.equal(error.condition, condition);
	assert.match(error.message, message);
	return true;
};

describe('a daemon without pods', () => {
	let daemon: TestDaemon;
	before(async () => {
		daemon = await startTestDaemon({
			config: 'metrics.address = "127.0.0.1:0"\nnetwork.provider = "builtin"\nsocket.mode = "0600"\n',
		});
	});
	after(() => daemon[Symbol.asyncDispose]());
	const runtimeInfo = async () =>
		JSON.parse((await daemon.cri.Status({ verbose: true })).info.runtime ?? '{}');

	it('says who it is', async () => {
		const { runtime_name, runtime_version, runtime_api_version } = await daemon.cri.Version();
		assert.deepEqual([runtime_name, runtime_api_version], ['gantry', 'v1']);
		assert.match(runtime_version, /^\d+\.\d+\.\d+/);
	});

	it('is ready, says what its handlers can do, and shows its configuration when asked', async () => {
		const { status, runtime_handlers, info } = await daemon.cri.Status({ verbose: true });
		assert.deepEqual(
			status?.conditions.map(({ type, status, message }) => ({ type, status, message })),
			[
				{ type: 'RuntimeReady', status: true, message: '' },
				{ type: 'NetworkReady', status: true, message: '' },
			],
		);
		assert.deepEqual(
			runtime_handlers.map(({ name }) => name),
			['', 'gantry'],
		);
		assert.equal(JSON.parse(info.config ?? '').instance, daemon.instance);
		assert.deepEqual((await daemon.cri.Status()).info, {});
	});

	it('keeps the last errors for Status, but not those of normal life', async () => {
		await assert.rejects(
			daemon.cri.PullImage({ image: { image: 'no such image' } }),
			failsWith('INVALID_ARGUMENT', /no such image/),
		);
		await assert.rejects(
			daemon.cri.ContainerStatus({ container_id: 'nobody' }),
			failsWith('NOT_FOUND', /nobody/),
		);
		const errors = JSON.parse((await daemon.cri.Status({ verbose: true })).info.recentErrors ?? '[]');
		assert.deepEqual(
			errors.map(({ rpc, code }: { rpc: string; code: string }) => `${rpc} ${code}`),
			['PullImage INVALID_ARGUMENT'],
		);
	});

	it('tells the cgroup driver', async () => {
		assert.equal((await daemon.cri.RuntimeConfig()).linux?.cgroup_driver, 'CGROUPFS');
	});

	it('has no images: lists are empty, a missing one is no error, removing it is fine', async () => {
		assert.deepEqual((await daemon.cri.ListImages()).images, []);
		assert.deepEqual((await daemon.cri.ListImages({ filter: { image: { image: 'busybox' } } })).images, []);
		assert.equal((await daemon.cri.ImageStatus({ image: { image: 'busybox' } })).image, null);
		await daemon.cri.RemoveImage({ image: { image: 'busybox' } });
	});

	it('refuses image calls that name no image or a foreign handler', async () => {
		await assert.rejects(daemon.cri.PullImage(), failsWith('INVALID_ARGUMENT', /names no image/));
		await assert.rejects(
			daemon.cri.ImageStatus({ image: { image: '' } }),
			failsWith('INVALID_ARGUMENT', /names no image/),
		);
		const foreign = { image: { image: 'busybox', runtime_handler: 'kata' } };
		await assert.rejects(
			daemon.cri.PullImage(foreign),
			failsWith('INVALID_ARGUMENT', /no runtime handler "kata"/),
		);
	});

	it('tells what images and writable layers use, and where', async () => {
		const { image_filesystems, container_filesystems } = await daemon.cri.ImageFsInfo();
		for (const { fs_id, used_bytes, timestamp } of [...image_filesystems, ...container_filesystems]) {
			assert.ok(statSync(fs_id?.mountpoint ?? '').isDirectory());
			assert.ok(fs_id?.mountpoint.startsWith(daemon.folder));
			assert.ok(Number(used_bytes?.value) >= 0);
			assert.ok(BigInt(timestamp) > 0n);
		}
		assert.equal(image_filesystems.length + container_filesystems.length, 2);
	});

	it('has no stats without pods, and NOT_FOUND for those of nobody', async () => {
		assert.deepEqual((await daemon.cri.ListContainerStats()).stats, []);
		assert.deepEqual((await daemon.cri.ListPodSandboxStats()).stats, []);
		await assert.rejects(
			daemon.cri.ContainerStats({ container_id: 'nobody' }),
			failsWith('NOT_FOUND', /nobody/),
		);
		await assert.rejects(
			daemon.cri.PodSandboxStats({ pod_sandbox_id: 'nobody' }),
			failsWith('NOT_FOUND', /nobody/),
		);
	});

	it('answers UNIMPLEMENTED with a sentence for what it does not have', async () => {
		await assert.rejects(
			daemon.cri.CheckpointPod({ options: { fast: 'yes' } }),
			failsWith('UNIMPLEMENTED', /options: "fast" is not supported/),
		);
	});

	it('protects its socket as configured, and its folders', () => {
		assert.equal(statSync(join(daemon.folder, 'cri.sock')).mode & 0o777, 0o600);
		const modeOf = (...path: string[]): number => statSync(join(daemon.folder, ...path)).mode & 0o777;
		assert.equal(modeOf('root'), 0o700);
		assert.equal(modeOf('state'), 0o711);
		for (const folder of ['shims', 'sandboxes', 'containers']) assert.equal(modeOf('state', folder), 0o700);
	});

	it('serves metrics and health', async () => {
		const { address } = await daemon.process.line(/Serving \/metrics/);
		const text = await (await fetch(`http://${address}/metrics`)).text();
		assert.match(text, /^gantry_operations_total\{operation="Version",code="OK"\} 1$/m);
		assert.equal((await fetch(`http://${address}/healthz`)).status, 200);
	});

	it('takes over the log level on SIGHUP, and keeps it when the file is broken', async () => {
		const file = join(daemon.folder, 'gantry.toml');
		writeFileSync(file, 'metrics.address = "127.0.0.1:0"\nlog.level = "debug"\nimages.workers = 1\n');
		daemon.process.child.kill('SIGHUP');
		const { options } = await daemon.process.line(/taken over only by a restart/);
		assert.deepEqual(options, ['socket.mode', 'images.workers', 'network.provider']);
		await daemon.cri.Version();
		await daemon.process.line(/^Version done$/);
		writeFileSync(file, 'log.level = \n');
		daemon.process.child.kill('SIGHUP');
		assert.match((await daemon.process.line(/was not reloaded/)).msg, /gantry\.toml:1: /);
		await daemon.cri.Version();
	});

	it('starts its launcher again when it dies, and still holds its folders', async () => {
		const { launcherPid } = await runtimeInfo();
		process.kill(launcherPid, 'SIGKILL');
		await daemon.process.line(/The launcher runs again/);
		assert.notEqual((await runtimeInfo()).launcherPid, launcherPid);
		writeFileSync(join(daemon.folder, 'gantry.toml'), '');
		const second = spawnDaemon(daemonArgs(daemon.folder, 'tother'));
		assert.equal(await second.ended, 1);
		await second.line(/is in use by gantryd/);
	});
});
