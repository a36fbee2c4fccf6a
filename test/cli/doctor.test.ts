import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { leftoversOf } from '../support/leftovers.ts';
import { type CliStage, setCliStage, waiting } from './stage.ts';

const stage: CliStage = await setCliStage();
after(() => stage[Symbol.asyncDispose]());
const { daemon, image, gantry, manifest } = stage;
const [root, state] = [join(daemon.folder, 'root'), join(daemon.folder, 'state')];
const LOST = 'd'.repeat(64);
const CGROUPS = existsSync('/sys/fs/cgroup/unified') ? '/sys/fs/cgroup/unified' : '/sys/fs/cgroup';

const found = async (
	...options: string[]
): Promise<{ kind: string; name: string; owner: string; remedy: string }[]> => {
	const said = await gantry('--json', 'doctor', ...options);
	const { findings } = JSON.parse(said.stdout);
	assert.equal(said.code, findings.length > 0 && !options.includes('--fix') ? 1 : 0);
	return findings;
};

test('a pod that runs is nobody left behind, with and without its daemon', async () => {
	assert.equal(
		(
			await gantry(
				'run',
				manifest('lives', { containers: [waiting('main', image)], terminationGracePeriodSeconds: 2 }),
			)
		).code,
		0,
	);
	assert.deepEqual(await found(), []);
	await daemon.stop();
	assert.deepEqual(await found(), []);
	await daemon.start();
});

test('with no daemon, what no record owns is found, told, removed; the rest and other instances stay', async () => {
	await daemon.stop('SIGKILL');
	const other = `${CGROUPS}/other-instance-${LOST}`;
	mkdirSync(other);
	const elsewhere = `${CGROUPS}/elsewhere-${daemon.instance}`;
	mkdirSync(`${elsewhere}/${daemon.instance}-${LOST}`, { recursive: true });
	mkdirSync(join(root, 'containers', LOST, 'upper'), { recursive: true });
	mkdirSync(join(root, 'pods/lost-pod'), { recursive: true });
	mkdirSync(join(state, 'sandboxes', LOST));
	mkdirSync(join(state, 'netns-lost'));
	execFileSync('mount', ['-t', 'tmpfs', 'none', join(state, 'netns-lost')]);
	try {
		const findings = await found();
		const kinds = findings.map(({ kind }) => kind).toSorted();
		// The sockets of the CRI and of the network hook, which a killed daemon cannot remove.
		const sockets = ['socket', 'socket'];
		assert.deepEqual(kinds, [
			'cgroup',
			'mount',
			'sandbox folder',
			...sockets,
			'volumes and logs',
			'writable layer',
		]);
		assert.equal(
			findings.find(({ kind }) => kind === 'cgroup')?.name,
			`/elsewhere-${daemon.instance}/${daemon.instance}-${LOST}`,
		);
		const text = (await gantry('doctor')).stdout;
		assert.match(
			text,
			/^writable layer .+\n {4}no container has it, of d{64}, since \d{4}-.+\n {4}remedy: rm -r /m,
		);
		await found('--fix');
		assert.deepEqual(await found(), []);
		assert.ok(existsSync(other), 'the cgroup of another instance is gone');
	} finally {
		for (const path of [`${elsewhere}/${daemon.instance}-${LOST}`, elsewhere, other]) rmdirIfThere(path);
	}
	await daemon.start();
	assert.equal((await gantry('exec', 'lives/main', '--', 'true')).code, 0);
});

test('a pod whose record was lost is taken away whole: processes, cgroups, links, files', async () => {
	const { items } = await daemon.cri.ListPodSandbox();
	const { containers } = await daemon.cri.ListContainers();
	await daemon.stop('SIGKILL');
	for (const { id } of items) rmSync(join(state, 'sandboxes', id), { recursive: true });
	for (const { id } of containers) rmSync(join(state, 'containers', id), { recursive: true });
	const kinds = new Set((await found()).map(({ kind }) => kind));
	for (const kind of ['shim', 'cgroup', 'link', 'writable layer', 'volumes and logs', 'lease'])
		assert.ok(kinds.has(kind), `no ${kind} among ${[...kinds].join(', ')}`);
	await found('--fix');
	assert.deepEqual(await found(), []);
	assert.deepEqual(leftoversOf(daemon.instance, daemon.folder), []);
	await daemon.start();
});

test('an instance that never ran has nothing, and looking makes nothing', async () => {
	const nowhere = join(daemon.folder, 'nowhere');
	const said = await gantry(
		'doctor',
		'--root',
		join(nowhere, 'root'),
		'--state',
		join(nowhere, 'state'),
		'--set',
		'instance=nobody',
		'--address',
		`unix://${nowhere}/sock`,
	);
	assert.deepEqual([said.code, said.stdout], [0, '']);
	assert.match(said.stderr, /nothing is left of instance nobody/);
	assert.ok(!existsSync(nowhere));
});

function rmdirIfThere(path: string): void {
	if (existsSync(path)) rmdirSync(path);
}
