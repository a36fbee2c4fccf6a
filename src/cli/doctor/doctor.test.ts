import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { loadConfig } from '../../config/load.ts';
import { findFiles } from './files.ts';
import { mountPoints } from './mounts.ts';
import { isOwned, readOwned } from './scene.ts';

const folder = await mkdtemp(join(tmpdir(), 'gantry-doctor-'));
after(() => rm(folder, { recursive: true }));
const [root, state] = [join(folder, 'root'), join(folder, 'state')];
const id = (digit: string) => digit.repeat(64);

test('mount points with their escapes undone', () => {
	const text = '36 35 98:0 / /mnt/a\\040b rw - ext4 /dev/x rw\n37 35 0:4 net:[1] /run/x rw - nsfs nsfs rw\n';
	assert.deepEqual(mountPoints(text), ['/mnt/a b', '/run/x']);
});

test('folders, layers and sockets that no record knows are found', async () => {
	for (const name of [id('c'), id('e')]) await mkdir(join(root, 'containers', name), { recursive: true });
	for (const name of [id('a'), id('e')]) await mkdir(join(root, 'sandboxes', name), { recursive: true });
	for (const name of ['pod-a', 'pod-b']) await mkdir(join(root, 'pods', name), { recursive: true });
	await mkdir(join(state, 'shims'), { recursive: true });
	for (const name of [id('a'), id('e')])
		await writeFile(join(state, 'shims', `${name.slice(0, 20)}.sock`), '');
	const { config } = loadConfig({
		config: await emptyConfig(),
		root,
		state,
		listen: `unix://${state}/cri.sock`,
	});
	const owned = {
		...(await readOwned(join(folder, 'none'), false)),
		sandboxes: new Set([id('a')]),
		containers: new Set([id('c')]),
		pods: new Set(['pod-a']),
	};
	const names = (await findFiles({ config, daemonRuns: false, owned })).map(({ name }) =>
		name.slice(folder.length + 1),
	);
	assert.deepEqual(names, [
		`root/containers/${id('e')}`,
		`root/sandboxes/${id('e')}`,
		'root/pods/pod-b',
		`state/shims/${id('e').slice(0, 20)}.sock`,
	]);
});

test('a host name of lost files is told only if it is one: containers may write anything there', async () => {
	const { config } = loadConfig({ config: await emptyConfig(), root: join(folder, 'names'), state });
	const owned = await readOwned(join(folder, 'none'), false);
	const texts = ['web-1\n', '\u001b]0;evil\u0007', `${'a'.repeat(64)}\n`, 'a'.repeat(1_000_000)];
	for (const [index, text] of texts.entries()) {
		const files = join(folder, 'names/sandboxes', id(String(index)));
		await mkdir(files, { recursive: true });
		await writeFile(join(files, 'hostname'), text);
	}
	const told = (await findFiles({ config, daemonRuns: true, owned }))
		.filter(({ kind }) => kind === 'files of a pod')
		.map(({ ownerName }) => ownerName);
	const named = (name: string): string => `the pod with host name ${name}`;
	assert.deepEqual(told, [named('web-1'), '', named('a'.repeat(64)), '']);
});

test('what the records say depends on whether a daemon stands behind them', async () => {
	await mkdir(join(state, 'sandboxes', id('b')), { recursive: true });
	await writeFile(join(state, 'sandboxes', id('b'), 'record.json'), '{ broken');
	const alone = await readOwned(state, false);
	assert.deepEqual([...alone.sandboxes], []);
	assert.deepEqual(
		alone.unfinished.map((each) => [each.kind, each.id, each.state]),
		[['sandbox', id('b'), 'unreadable']],
	);
	assert.deepEqual([...(await readOwned(state, true)).sandboxes], [id('b')], 'the daemon lists it');
});

test('an id, the beginning of one, or a path with one tells of its object; a uid only by itself', () => {
	const owned = {
		sandboxes: new Set([id('a')]),
		containers: new Set([id('c')]),
		pods: new Set(['state']),
		sandboxOf: new Map(),
		names: new Map(),
		unfinished: [],
	};
	for (const text of [id('a'), id('c').slice(0, 13), `/x/gantry-${id('a')}/y`, 'state'])
		assert.ok(isOwned(owned, text), text);
	for (const text of [id('b'), 'aaaa', '', '/run/state/x']) assert.ok(!isOwned(owned, text), text);
});

test('an instance that never ran has nothing', async () => {
	const config = {
		...loadConfig({ config: await emptyConfig() }).config,
		root: join(folder, 'none'),
		state: join(folder, 'none'),
		listen: `unix://${folder}/none/x`,
	};
	const owned = await readOwned(config.state, false);
	assert.deepEqual(await findFiles({ config, daemonRuns: false, owned }), []);
});

async function emptyConfig(): Promise<string> {
	const path = join(folder, 'gantry.toml');
	await writeFile(path, '');
	return path;
}
