import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { loadConfig } from '../../config/load.ts';
import { findFiles } from './files.ts';
import { mountPoints } from './mounts.ts';
import { readOwned } from './scene.ts';

const folder = await mkdtemp(join(tmpdir(), 'gantry-doctor-'));
after(() => rm(folder, { recursive: true }));
const [root, state] = [join(folder, 'root'), join(folder, 'state')];
const id = (digit: string) => digit.repeat(64);

async function record(kind: 'sandboxes' | 'containers', name: string, text: string): Promise<void> {
	await mkdir(join(state, kind, name), { recursive: true });
	await writeFile(join(state, kind, name, 'record.json'), text);
}

test('mount points with their escapes undone', () => {
	const text = '36 35 98:0 / /mnt/a\\040b rw - ext4 /dev/x rw\n37 35 0:4 net:[1] /run/x rw - nsfs nsfs rw\n';
	assert.deepEqual(mountPoints(text), ['/mnt/a b', '/run/x']);
});

test('what a record knows is owned; folders, layers and sockets that none knows are found', async () => {
	await record(
		'sandboxes',
		id('a'),
		JSON.stringify({ id: id('a'), value: { metadata: { config: { metadata: { uid: 'pod-a' } } } } }),
	);
	await record('containers', id('c'), JSON.stringify({ id: id('c'), value: {} }));
	await record('sandboxes', id('b'), '{ broken');
	await mkdir(join(state, 'containers', id('d')));
	for (const name of [id('c'), id('e')]) await mkdir(join(root, 'containers', name), { recursive: true });
	for (const name of [id('a'), id('e')]) await mkdir(join(root, 'sandboxes', name), { recursive: true });
	for (const name of ['pod-a', 'pod-b']) await mkdir(join(root, 'pods', name), { recursive: true });
	await mkdir(join(state, 'shims'));
	for (const name of [id('a'), id('e')])
		await writeFile(join(state, 'shims', `${name.slice(0, 20)}.sock`), '');

	const owned = await readOwned(state);
	assert.deepEqual([...owned.sandboxes], [id('a')]);
	assert.deepEqual([...owned.pods], ['pod-a']);
	const { config } = loadConfig({
		config: await emptyConfig(),
		root,
		state,
		listen: `unix://${state}/cri.sock`,
	});
	const names = (await findFiles({ config, daemonRuns: false, owned })).map(({ name }) =>
		name.slice(folder.length + 1),
	);
	assert.deepEqual(names, [
		`state/sandboxes/${id('b')}`,
		`state/containers/${id('d')}`,
		`root/containers/${id('e')}`,
		`root/sandboxes/${id('e')}`,
		'root/pods/pod-b',
		`state/shims/${id('e').slice(0, 20)}.sock`,
	]);
});

test('an instance that never ran has nothing', async () => {
	const config = {
		...loadConfig({ config: await emptyConfig() }).config,
		root: join(folder, 'none'),
		state: join(folder, 'none'),
		listen: `unix://${folder}/none/x`,
	};
	assert.deepEqual(await findFiles({ config, daemonRuns: false, owned: await readOwned(config.state) }), []);
});

async function emptyConfig(): Promise<string> {
	const path = join(folder, 'gantry.toml');
	await writeFile(path, '');
	return path;
}
