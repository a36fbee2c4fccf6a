import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { crictlFor, hasCrictl, rowsOf } from './crictl.ts';
import { setStage } from './stage.ts';

const ID = /^[0-9a-f]{64}\n$/;

test('an untouched crictl drives the daemon from version to rmi', {
	skip: hasCrictl ? false : 'crictl is not on PATH: the walk with a real crictl did NOT run',
}, async (context) => {
	await using stage = await setStage();
	const { daemon, image, repository } = stage;
	const crictl = crictlFor(daemon.address);
	const file = (name: string, content: object) => {
		const path = join(daemon.folder, name);
		writeFileSync(path, JSON.stringify(content));
		return path;
	};
	const events = crictl.start('events', '-o', 'json');
	after(() => events.kill());
	let heard = '';
	events.stdout?.on('data', (data) => {
		heard += data;
	});

	await context.test('version', () => {
		const text = crictl('version');
		assert.match(text, /RuntimeName: +gantry$/m);
		assert.match(text, /RuntimeApiVersion: +v1$/m);
	});

	await context.test('info', () => {
		const info = crictl.json('info');
		const conditions = info.status.conditions.map(({ type, status }: { type: string; status: boolean }) => [
			type,
			status,
		]);
		assert.deepEqual(conditions, [
			['RuntimeReady', true],
			['NetworkReady', true],
		]);
		assert.equal(info.config.instance, daemon.instance);
	});

	let imageId = '';
	await context.test('pull, images, inspecti, imagefsinfo', () => {
		assert.match(crictl('pull', image), /^Image is up to date for sha256:[0-9a-f]{64}$/m);
		const [row] = rowsOf(crictl('images')).filter((one) => one.IMAGE === repository);
		assert.equal(row?.TAG, '1');
		imageId = crictl('images', '-q', image).trim();
		assert.ok(imageId.startsWith(`sha256:${row?.['IMAGE ID']}`));
		const inspected = crictl.json('inspecti', image);
		assert.equal(inspected.status.id, imageId);
		assert.deepEqual(inspected.status.repoTags, [image]);
		assert.match(inspected.status.repoDigests[0], new RegExp(`^${repository}@sha256:`));
		assert.deepEqual(inspected.info.imageSpec.config.Cmd, ['sh']);
		const [usage] = crictl.json('imagefsinfo', '-o', 'json').status.imageFilesystems;
		assert.ok(Number(usage.usedBytes.value) > 100_000);
		assert.ok(usage.fsId.mountpoint.startsWith(daemon.folder));
	});

	const podFile = file('pod.json', stage.pod);
	let pod = '';
	await context.test('runp, pods, inspectp', () => {
		const printed = crictl('runp', podFile);
		assert.match(printed, ID);
		pod = printed.trim();
		const [row] = rowsOf(crictl('pods'));
		assert.equal(row?.NAME, 'walk');
		assert.equal(row?.NAMESPACE, 'walks');
		assert.equal(row?.STATE, 'Ready');
		assert.ok(pod.startsWith(row?.['POD ID'] ?? 'nothing'));
		const { status, info } = crictl.json('inspectp', pod);
		assert.equal(status.state, 'SANDBOX_READY');
		assert.equal(status.metadata.uid, 'walk-uid');
		assert.equal(status.labels.app, 'walk');
		assert.equal(status.annotations.note, 'kept');
		assert.match(status.network.ip, /^[0-9.]+$/);
		assert.ok(info.pid > 0);
		assert.deepEqual(info.runtimeSpec.process.args, ['/pause']);
	});

	let container = '';
	await context.test('create, start, ps, inspect', () => {
		const printed = crictl('create', pod, file('container.json', stage.container('main')), podFile);
		assert.match(printed, ID);
		container = printed.trim();
		assert.equal(rowsOf(crictl('ps', '-a'))[0]?.STATE, 'Created');
		assert.equal(crictl('start', container).trim(), container);
		const [row] = rowsOf(crictl('ps'));
		assert.equal(row?.NAME, 'main');
		assert.equal(row?.STATE, 'Running');
		assert.ok(container.startsWith(row?.CONTAINER ?? 'nothing'));
		assert.equal(row?.IMAGE, image);
		assert.equal(crictl('ps', '-q', '--pod', pod).trim(), container);
		const { status, info } = crictl.json('inspect', container);
		assert.equal(status.state, 'CONTAINER_RUNNING');
		assert.equal(status.image.image, image);
		assert.equal(status.imageId, imageId);
		assert.equal(status.logPath, join(stage.pod.log_directory, 'main.log'));
		assert.equal(status.resources.linux.memoryLimitInBytes, String(64 * 1024 * 1024));
		assert.ok(readFileSync(`/proc/${info.pid}/cmdline`, 'utf8').startsWith('sh\0-c\0'));
		assert.equal(info.sandboxID, pod);
		assert.deepEqual(info.runtimeSpec.process.args.slice(0, 2), ['sh', '-c']);
	});

	await context.test('exec -s shows both outputs and the exit code', () => {
		// crictl writes both to its standard output, each with a line break of its own.
		const both = crictl('exec', '-s', container, 'sh', '-c', 'hostname; echo err >&2');
		assert.equal(both, 'walk-host\n\nerr\n\n');
		const failed = crictl.result('exec', '-s', container, 'sh', '-c', 'echo err >&2; exit 7');
		assert.match(failed.stderr, /exited with 7: err/);
		assert.equal(failed.code, 1);
		assert.match(crictl.result('exec', '-s', container, 'no-such-program').stderr, /no-such-program/);
	});

	await context.test('logs', () => {
		const { stdout, stderr } = crictl.result('logs', container);
		assert.equal(stdout, 'hello walker\n');
		assert.equal(stderr, 'trouble\n');
		assert.match(
			crictl.result('logs', '--timestamps', '--tail', '1', container).stderr,
			/^\d{4}-\d\d-\d\dT[0-9:.]+(Z|[+-]\d\d:\d\d) trouble$/m,
		);
	});

	await context.test('stats, statsp', () => {
		const [stats] = crictl.json('stats', '-o', 'json', container).stats;
		assert.equal(stats.attributes.id, container);
		assert.ok(Number(stats.memory.workingSetBytes.value) > 0);
		assert.ok(Number(stats.cpu.usageCoreNanoSeconds.value) > 0);
		const [row] = rowsOf(crictl('stats', container));
		assert.equal(row?.NAME, 'main');
		const [podStats] = crictl.json('statsp', '-o', 'json', pod).stats;
		assert.equal(podStats.attributes.id, pod);
		assert.equal(podStats.linux.containers.length, 1);
		assert.equal(podStats.linux.network.defaultInterface.name, 'eth0');
	});

	await context.test('metricdescs, metricsp', () => {
		const { descriptors } = crictl.json('metricdescs');
		assert.ok(descriptors.some(({ name }: { name: string }) => name === 'container_cpu_usage_seconds_total'));
		const { podMetrics } = crictl.json('metricsp');
		assert.equal(podMetrics[0].podSandboxId, pod);
		const [{ containerId, metrics }] = podMetrics[0].containerMetrics;
		assert.equal(containerId, container);
		const limit = metrics.find(({ name }: { name: string }) => name === 'container_spec_memory_limit_bytes');
		assert.equal(limit.value.value, String(64 * 1024 * 1024));
		assert.equal(limit.metricType, 'GAUGE');
	});

	await context.test('runtime-config, update-runtime-config', () => {
		assert.match(crictl('runtime-config'), /CGROUPFS/);
		crictl('update-runtime-config', '--pod-cidr', '10.87.0.0/24');
	});

	await context.test('update', () => {
		crictl('update', '--memory', String(32 * 1024 * 1024), container);
		assert.equal(
			crictl.json('inspect', container).status.resources.linux.memoryLimitInBytes,
			String(32 * 1024 * 1024),
		);
	});

	await context.test('stop, rm', () => {
		crictl('stop', '--timeout', '10', container);
		assert.equal(rowsOf(crictl('ps', '-a'))[0]?.STATE, 'Exited');
		const { status } = crictl.json('inspect', container);
		assert.equal(status.exitCode, 0);
		assert.equal(status.reason, 'Completed');
		assert.match(crictl.result('rmi', image).stderr, /uses it/);
		crictl('rm', container);
		assert.deepEqual(rowsOf(crictl('ps', '-a')), []);
		assert.match(crictl.result('inspect', container).stderr, /NotFound|not found/i);
	});

	await context.test('stopp, rmp, rmi', () => {
		crictl('stopp', pod);
		assert.equal(rowsOf(crictl('pods'))[0]?.STATE, 'NotReady');
		crictl('rmp', pod);
		assert.deepEqual(rowsOf(crictl('pods')), []);
		assert.match(crictl('rmi', image), new RegExp(`Deleted: ${image}`));
		assert.deepEqual(rowsOf(crictl('images')), []);
	});

	await context.test('events told all of it', async () => {
		events.kill();
		await once(events, 'close');
		// Go's protojson varies its spaces from build to build.
		const types = [...heard.matchAll(/"containerEventType": *"([A-Z_]+)"/g)].map(([, type]) =>
			type?.replace(/^CONTAINER_|_EVENT$/g, ''),
		);
		for (const type of ['CREATED', 'STARTED', 'STOPPED', 'DELETED'])
			assert.ok(types.includes(type), `no ${type} in ${types.join(', ')}`);
	});
});
