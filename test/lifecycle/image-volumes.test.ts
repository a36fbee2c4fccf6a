/** Volumes from images (CRI Mount.image): what the container sees, what the status tells, what holds the layers. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { ContainerConfigInit, MountInit } from '#cri-api';
import { failureOf, TestBed } from './harness.ts';

const ONE = `sha256:${'1'.repeat(64)}`;
const TWO = `sha256:${'2'.repeat(64)}`;

let bed: TestBed;
let pod: string;
let untouched: readonly string[];

before(async () => {
	bed = await TestBed.start();
	makeImages();
	pod = await bed.runPod();
	untouched = bed.leftObjects();
});
after(async () => await bed[Symbol.asyncDispose]());

function makeImages(): void {
	const [lower, upper] = [join(bed.folder, 'model-lower'), join(bed.folder, 'model-upper')];
	for (const folder of [lower, upper]) mkdirSync(join(folder, 'weights/small'), { recursive: true });
	for (const folder of [lower, upper]) chmodSync(folder, 0o755);
	writeFileSync(join(lower, 'weights/old'), 'old\n');
	writeFileSync(join(lower, 'weights/base'), 'base\n');
	writeFileSync(join(upper, 'weights/small/data'), 'small\n');
	execFileSync('mknod', [join(upper, 'weights/old'), 'c', '0', '0']);
	copyFileSync('/bin/busybox', join(upper, 'true'));
	chmodSync(join(upper, 'true'), 0o755);
	symlinkSync('/weights/small', join(upper, 'latest'));
	symlinkSync('../../../../etc', join(upper, 'outside'));
	for (const path of ['weights', 'weights/base']) chownSync(join(lower, path), 7, 8);
	bed.images.add('model', [upper, lower], {}, ONE);
	bed.images.add('flat', [lower], {}, TWO);
}

const volume = (image: string, mount: MountInit = {}): MountInit => ({
	container_path: '/mnt',
	readonly: true,
	image: { image },
	...mount,
});
const withVolumes = (...mounts: readonly MountInit[]): ContainerConfigInit => ({ mounts });

async function output(config: ContainerConfigInit, script: string): Promise<string> {
	const { code, text } = await bed.runScript(pod, script, config);
	assert.equal(code, 0, text);
	return text;
}

test('the merged layers are there, can be run, and cannot be written', async () => {
	const script = [
		'ls /mnt/weights',
		'cat /mnt/weights/base /mnt/weights/small/data',
		'/mnt/true true && echo runs',
		'touch /mnt/x 2>/dev/null || echo read-only',
		'ls /flat/weights',
	].join(';');
	const config = withVolumes(volume('model'), volume('flat', { container_path: '/flat' }));
	assert.equal(
		await output(config, script),
		['base', 'small', 'base', 'small', 'runs', 'read-only', 'base', 'old', 'small'].join('\n'),
	);
});

test('a sub-path is one folder of the image, and its symlinks never leave it', async () => {
	const of = (image_sub_path: string) => withVolumes(volume('model', { image_sub_path }));
	assert.equal(await output(of('weights/small'), 'cat /mnt/data; ls /mnt'), 'small\ndata');
	assert.equal(await output(of('latest'), 'cat /mnt/data'), 'small');
	assert.equal(await output(of('./weights//small/'), 'cat /mnt/data'), 'small');
	const outside = await failureOf(bed.create(pod, of('outside')));
	assert.match(outside.message, /^ImageVolumeMountFailed: .*image model has no outside/);
	const file = await failureOf(bed.create(pod, of('weights/base')));
	assert.match(file.message, /^ImageVolumeMountFailed: .*no folder is weights\/base/);
	assert.equal(file.condition, 'FAILED_PRECONDITION');
});

test('mount_options hold for it', async () => {
	const config = withVolumes(volume('model', { mount_options: ['noexec', 'nosuid', 'nodev'] }));
	assert.equal(
		await output(
			config,
			'/mnt/true true 2>/dev/null || echo refused; grep " /mnt " /proc/self/mountinfo | cut -d" " -f6',
		),
		'refused\nro,nosuid,nodev,noexec,relatime',
	);
});

test('in a user namespace its owners are those of the pod', async () => {
	const map = [{ host_id: 300_000, container_id: 0, length: 65_536 }];
	const userns_options = { mode: 'POD', uids: map, gids: map } as const;
	const linux = { security_context: { namespace_options: { pid: 'CONTAINER', userns_options } } } as const;
	const userPod = await bed.runPod({
		linux: { security_context: { namespace_options: { userns_options } } },
	});
	const mounts = [
		volume('model', { uidMappings: map, gidMappings: map }),
		volume('flat', { container_path: '/flat', image_sub_path: 'weights' }),
	];
	const id = await bed.run(userPod, { mounts, linux });
	assert.equal(
		await bed.sh(id, 'stat -c %u:%g /mnt /mnt/weights/base /flat /flat/base'),
		'0:0\n7:8\n7:8\n7:8',
	);
	const other = volume('model', { uidMappings: [{ ...map[0], host_id: 400_000 }], gidMappings: map });
	const failure = await failureOf(bed.create(userPod, { mounts: [other], linux }));
	assert.equal(failure.condition, 'INVALID_ARGUMENT');
	assert.match(failure.message, /mounts\[0\] has other uidMappings/);
	await bed.cri.RemovePodSandbox({ pod_sandbox_id: userPod });
});

test('the status tells the digest; the layers are held, over a restart, until the container is removed', async () => {
	const id = await bed.run(pod, withVolumes(volume('model', { image_sub_path: 'weights' })));
	const told = async () => {
		const { status } = await bed.cri.ContainerStatus({ container_id: id });
		const [mount] = status?.mounts ?? [];
		return [mount?.image?.image, mount?.image?.image_ref, mount?.image_sub_path];
	};
	assert.deepEqual(await told(), ['model', ONE, 'weights']);
	const held = () => bed.images.holders().filter(({ holder }) => holder.startsWith(id));
	assert.deepEqual(
		held()
			.map(({ imageId }) => imageId)
			.sort(),
		[ONE, `sha256:${'b'.repeat(64)}`],
	);
	await bed.crash();
	const lost = held().find(({ imageId }) => imageId === ONE) ?? assert.fail();
	bed.images.leases.delete(lost.holder);
	await bed.start();
	assert.ok(
		held().some(({ holder }) => holder === lost.holder),
		'a lost lease is renewed',
	);
	assert.deepEqual(await told(), ['model', ONE, 'weights']);
	assert.equal(await bed.sh(id, 'cat /mnt/base'), 'base');
	await bed.cri.RemoveContainer({ container_id: id });
	assert.deepEqual(held(), []);
});

test('what makes no sense is refused by its name, and leaves nothing', async () => {
	for (const left of bed.daemon.containers.list())
		await bed.cri.RemoveContainer({ container_id: left.metadata.id });
	const cases: readonly (readonly [MountInit, string, RegExp])[] = [
		[volume('absent'), 'NOT_FOUND', /^ImageVolumeMountFailed: .*absent.*pull it/],
		[volume('model', { readonly: false }), 'INVALID_ARGUMENT', /readonly is false/],
		[volume(''), 'INVALID_ARGUMENT', /mounts\[0\]\.image\.image is empty/],
		[volume('model', { host_path: '/srv' }), 'INVALID_ARGUMENT', /both host_path and image/],
		[volume('model', { propagation: 'PROPAGATION_HOST_TO_CONTAINER' }), 'INVALID_ARGUMENT', /propagation/],
		[volume('model', { image_sub_path: '../x' }), 'INVALID_ARGUMENT', /not a path below/],
		[volume('model', { image_sub_path: '/x' }), 'INVALID_ARGUMENT', /not a path below/],
		[
			{ container_path: '/mnt', host_path: '/srv', image_sub_path: 'x' },
			'INVALID_ARGUMENT',
			/without an image/,
		],
	];
	for (const [mount, condition, message] of cases) {
		const failure = await failureOf(bed.create(pod, withVolumes(mount)));
		assert.match(failure.message, message);
		assert.equal(failure.condition, condition);
		assert.deepEqual(bed.leftObjects(), untouched);
	}
});
