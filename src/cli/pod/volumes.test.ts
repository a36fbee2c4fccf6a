import assert from 'node:assert/strict';
import { mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { INSTALLATION } from '../../config/options.ts';
import { removePodFolders } from './folders.ts';
import { checkHostPath, mountsOf, prepareVolumes } from './volumes.ts';

const folder = await mkdtemp(join(tmpdir(), 'gantry-volumes-'));
after(() => rm(folder, { recursive: true }));
const mount = (subPath: string) =>
	mountsOf(
		{ name: 'a', volumeMounts: [{ name: 'v', mountPath: '/data', subPath }] },
		new Map([['v', { path: folder }]]),
		'c',
	);

test('hostPath types are made or checked', async () => {
	assert.equal(
		await checkHostPath({ path: join(folder, 'new/dir'), type: 'DirectoryOrCreate' }, 'v'),
		join(folder, 'new/dir'),
	);
	await checkHostPath({ path: join(folder, 'new/file'), type: 'FileOrCreate' }, 'v');
	assert.ok((await stat(join(folder, 'new/file'))).isFile());
	await checkHostPath({ path: '/dev/null', type: 'CharDevice' }, 'v');
	await assert.rejects(
		checkHostPath({ path: join(folder, 'none'), type: 'Directory' }, 'v'),
		/must be a Directory, but does not exist/,
	);
	await assert.rejects(
		checkHostPath({ path: folder, type: 'Socket' }, 'v'),
		/must be a Socket, but is a Directory/,
	);
	await assert.rejects(checkHostPath({ path: 'relative' }, 'v'), /must be absolute/);
	await assert.rejects(checkHostPath({ path: folder, type: 'Elephant' }, 'v'), /no type of a hostPath/);
});

test('a subPath is made inside its volume', async () => {
	const [made] = await mount('a/b');
	assert.equal(made?.host_path, join(folder, 'a/b'));
	assert.ok((await stat(join(folder, 'a/b'))).isDirectory());
});

test('a subPath cannot lead out of its volume', async () => {
	await symlink('/etc', join(folder, 'link'));
	await assert.rejects(mount('link'), /leads out of its volume, to \/etc/);
	await assert.rejects(mount('link/gantry-must-not-be-made'), /leads out of its volume/);
	await assert.rejects(mount('../x'), /without "\.\."/);
	await assert.rejects(mount('/x'), /must be relative/);
});

test('an image is mounted read-only, with its sub-path', async () => {
	const pod = { spec: { containers: [], volumes: [{ name: 'i', image: { reference: 'data:1' } }] } };
	const folders = { disk: folder, memory: folder, logs: folder };
	const volumes = await prepareVolumes(pod, folders, new Map([['data:1', 'data@sha256:1']]));
	const mounts = (subPath: string) =>
		mountsOf({ name: 'a', volumeMounts: [{ name: 'i', mountPath: '/data', subPath }] }, volumes, 'c');
	assert.deepEqual(await mounts('weights'), [
		{
			container_path: '/data',
			image: { image: 'data@sha256:1', user_specified_image: 'data:1' },
			image_sub_path: 'weights',
			readonly: true,
		},
	]);
	await assert.rejects(mounts('../x'), /c\.volumeMounts\[0\]\.subPath: \.\.\/x must be relative/);
});

test('a uid that is no name of a folder removes nothing', async () => {
	await writeFile(join(folder, 'kept'), '');
	for (const uid of ['..', '', '../..', 'a/../..'])
		await removePodFolders({ root: join(folder, 'x'), state: join(folder, 'y') }, uid);
	assert.ok((await stat(join(folder, 'kept'))).isFile());
});

test('a memory volume lies on a tmpfs or is refused', async () => {
	const pod = { spec: { containers: [], volumes: [{ name: 'm', emptyDir: { medium: 'Memory' } }] } };
	const shared = await mkdtemp('/dev/shm/gantry-volumes-');
	try {
		const volumes = await prepareVolumes(pod, { disk: folder, memory: shared, logs: folder }, new Map());
		assert.deepEqual(volumes.get('m'), { path: join(shared, 'volumes/m') });
		assert.equal((await stat(join(shared, 'volumes/m'))).mode & 0o7777, 0o777);
	} finally {
		await rm(shared, { recursive: true });
	}
	const onDisk = join(INSTALLATION, 'node_modules/.cache/memory-volumes');
	after(() => rm(onDisk, { recursive: true, force: true }));
	await assert.rejects(
		prepareVolumes(pod, { disk: folder, memory: onDisk, logs: folder }, new Map()),
		/memory volumes lie in the daemon's state folder, and .+ is not on a tmpfs/,
	);
});
