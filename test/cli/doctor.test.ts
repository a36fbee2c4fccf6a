/** Every kind of thing that may be left is left for real, and found, explained and removed; what lives and what is others' stays. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
	existsSync,
	mkdirSync,
	mkdtempSync,
	readFileSync,
	rmdirSync,
	rmSync,
	symlinkSync,
	truncateSync,
	utimesSync,
	writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { examine } from '../../src/cli/doctor/look.ts';
import { loadConfig } from '../../src/config/load.ts';
import { leftoversOf, strangersOf } from '../support/leftovers.ts';
import { linkOf, processes } from '../support/machine.ts';
import { type CliStage, setCliStage, waiting } from './stage.ts';

const stage: CliStage = await setCliStage({ config: 'network.provider = "builtin"\n' });
after(() => stage[Symbol.asyncDispose]());
const { daemon, image, gantry, manifest } = stage;
const { instance, folder } = daemon;
const [root, state] = [join(folder, 'root'), join(folder, 'state')];
const LOST = 'd'.repeat(64);
/** A hierarchy of its own kind: one of v1, or the one of v2. */
const CGROUPS = ['/sys/fs/cgroup/pids', '/sys/fs/cgroup/unified', '/sys/fs/cgroup'].filter((path) =>
	existsSync(join(path, 'cgroup.procs')),
);

interface Told {
	readonly instance: string;
	readonly kind: string;
	readonly name: string;
	readonly owner: string;
	readonly ownerName: string;
	readonly since: string | null;
	readonly why: string;
	readonly fix: string;
	readonly remedy: string;
}

/** What `gantry doctor` says; fails unless its exit code goes with that. */
async function found(...options: string[]): Promise<Told[]> {
	const said = await gantry('--json', 'doctor', ...options);
	const { findings, failures } = JSON.parse(said.stdout);
	assert.deepEqual(failures, []);
	assert.equal(said.code, findings.length > 0 && !options.includes('--fix') ? 1 : 0);
	return findings;
}

interface Pod {
	readonly id: string;
	readonly container: string;
}

async function runPod(name: string, spec: object = {}): Promise<Pod> {
	const said = await gantry(
		'--json',
		'run',
		manifest(name, {
			containers: [{ ...waiting('main', image), ...spec }],
			terminationGracePeriodSeconds: 2,
		}),
	);
	assert.equal(said.code, 0, said.stderr);
	const { podId, containers } = JSON.parse(said.stdout);
	return { id: podId, container: containers[0].id };
}

const record = (kind: 'sandboxes' | 'containers', id: string): string => join(state, kind, id, 'record.json');

function setPhase(path: string, phase: string): void {
	writeFileSync(path, readFileSync(path, 'utf8').replace('"phase":"made"', `"phase":"${phase}"`));
}

function shimOf(id: string): number {
	return (
		processes().find(({ words }) => words[1] === 'shim' && words.includes(id))?.pid ??
		assert.fail(`no shim of ${id}`)
	);
}

function make(path: string, text?: string): void {
	mkdirSync(text === undefined ? path : join(path, '..'), { recursive: true });
	if (text !== undefined) writeFileSync(path, text);
}

/** Things of another instance whose name begins like ours. */
function othersThings(): Disposable & { check(): void } {
	const other = `${instance}x`;
	const cgroups = CGROUPS.map((path) => join(path, `${other}-${LOST}`));
	for (const path of cgroups) mkdirSync(path);
	execFileSync('nft', ['add', 'table', 'inet', `gantry-${other}`]);
	execFileSync('ip', ['link', 'add', `d${other}`, 'type', 'bridge']);
	execFileSync('ip', ['link', 'set', `d${other}`, 'alias', `gantry:${other}:${LOST}`]);
	return {
		check: () =>
			assert.equal(
				leftoversOf(other, '/nowhere').length,
				cgroups.length + 2,
				'something of another instance is gone',
			),
		[Symbol.dispose]: () => {
			for (const path of cgroups) if (existsSync(path)) rmdirSync(path);
			execFileSync('nft', ['delete', 'table', 'inet', `gantry-${other}`]);
			execFileSync('ip', ['link', 'delete', `d${other}`]);
		},
	};
}

test('pods that run are nobody left behind, with and without their daemon', async () => {
	await runPod('lives');
	assert.deepEqual(await found(), []);
	await daemon.stop();
	assert.deepEqual(await found(), []);
	await daemon.start();
});

test('what is not all of one daemon that runs is refused, and nothing of it is touched', async () => {
	const [nowhere, noRoot] = [join(folder, 'nowhere'), join(folder, 'nowhere-root')];
	const pid = daemon.process.child.pid;
	const before = leftoversOf(instance, folder);
	const nobody = ['--address', `unix://${nowhere}/sock`];
	const refused = async (message: string, ...options: string[]): Promise<void> => {
		for (const fix of [[], ['--fix']]) {
			const said = await gantry('doctor', ...fix, ...options);
			assert.deepEqual([said.code, said.stdout, said.stderr], [1, '', `gantry: ${message}\n`]);
		}
		assert.deepEqual(leftoversOf(instance, folder), before);
		assert.equal((await gantry('exec', 'lives/main', '--', 'true')).code, 0);
	};
	const otherFolders = (itsRoot: string, itsState: string): string =>
		`The instance name ${instance} is in use by gantryd (pid ${pid}), whose folders are not ${itsRoot} and ` +
		`${itsState}: give doctor that daemon's --root and --state`;
	await refused(otherFolders(root, nowhere), '--state', nowhere);
	await refused(otherFolders(noRoot, state), '--root', noRoot, ...nobody);
	await refused(otherFolders(noRoot, nowhere), '--root', noRoot, '--state', nowhere, ...nobody);
	await refused(
		`The folders ${root} and ${state}, or one of them, are in use by gantryd (pid ${pid}) of instance ${instance}, ` +
			`not nobody: give doctor that daemon's --root, --state and --set instance=${instance}`,
		...['--set', 'instance=nobody', ...nobody],
	);
	await refused(
		`The daemon on ${daemon.address} has instance ${instance}, not nobody; root ${root}, not ${noRoot}; state ${state}, ` +
			`not ${nowhere}: give doctor that daemon's --root, --state and --set instance=NAME, or another --address`,
		...['--set', 'instance=nobody', '--root', noRoot, '--state', nowhere],
	);
	assert.ok(!existsSync(nowhere) && !existsSync(noRoot));
	const aliased = join(folder, 'alias');
	symlinkSync(state, aliased);
	const said = await gantry('doctor', '--state', aliased);
	rmSync(aliased);
	assert.deepEqual([said.code, said.stdout], [0, ''], said.stderr);
});

test('a daemon with other folders that starts when doctor has looked for one keeps --fix from all it found', async () => {
	const before = leftoversOf(instance, folder);
	const { config } = loadConfig({
		config: join(folder, 'gantry.toml'),
		listen: `unix://${folder}/nowhere/sock`,
		root: join(folder, 'nowhere-root'),
		state: join(folder, 'nowhere'),
		set: [`instance=${instance}`],
	});
	await assert.rejects(examine({ config, daemonRuns: false, fix: true }), {
		condition: 'FAILED_PRECONDITION',
		message: new RegExp(
			`^The instance name ${instance} is in use by gantryd \\(pid ${daemon.process.child.pid}\\)`,
		),
	});
	assert.deepEqual(leftoversOf(instance, folder), before);
	assert.equal((await gantry('exec', 'lives/main', '--', 'true')).code, 0);
});

test('with no daemon, everything that no record owns is found, explained and removed; the rest stays', async () => {
	using others = othersThings();
	const { id: lives } = (await daemon.cri.ListPodSandbox()).items[0] ?? assert.fail('no pod');
	const lost = await runPod('lost', { ports: [{ containerPort: 80, hostPort: 28080 }] });
	const [halfMade, halfRemoved, garbled, shimless] = [
		await runPod('half-made'),
		await runPod('half-removed'),
		await runPod('garbled'),
		await runPod('shimless'),
	];
	const { containers } = await daemon.cri.ListContainers();
	const [launcher] = processes().filter(({ words }) => words[1] === 'launcher' && words.includes(instance));
	assert.ok(launcher);
	// It cannot hear that its daemon ends, and keeps the daemon's standard error open.
	process.kill(launcher.pid, 'SIGSTOP');
	const killed = once(daemon.process.child, 'exit');
	const stopped = daemon.stop('SIGKILL');
	await killed;

	for (const [kind, id] of [
		['sandboxes', lost.id],
		['containers', lost.container],
	] as const)
		rmSync(join(state, kind, id), { recursive: true });
	setPhase(record('sandboxes', halfMade.id), 'making');
	setPhase(record('containers', halfMade.container), 'making');
	setPhase(record('sandboxes', halfRemoved.id), 'removing');
	setPhase(record('containers', halfRemoved.container), 'removing');
	truncateSync(record('sandboxes', garbled.id), 40);
	truncateSync(record('containers', garbled.container), 40);
	process.kill(shimOf(shimless.id), 'SIGKILL');

	make(join(state, 'sandboxes', `.removed-${LOST}`));
	make(join(state, 'containers/no-id'));
	make(join(state, 'sandboxes', lives, 'record.json.0a1b2c3d.tmp'), '{"ver');
	make(join(root, 'images/images/x.json.0a1b2c3d.tmp'), '{');
	make(join(root, 'images/images/garbled.json'), '{');
	make(join(root, 'images/snapshots/zz/fs'));
	make(join(state, 'pods/lost-pod/volumes'));
	make(join(root, 'containers', LOST, 'upper'));
	make(join(root, 'containers', `.removed-${LOST}`, 'upper'));
	execFileSync('mount', ['-t', 'tmpfs', 'none', join(root, 'containers', LOST, 'upper')]);
	make(join(state, 'netns', LOST), '');
	execFileSync('unshare', [`--net=${join(state, 'netns', LOST)}`, 'true']);
	const elsewhere = CGROUPS.map((path) => join(path, `elsewhere-${instance}x`));
	for (const path of elsewhere) mkdirSync(join(path, `${instance}-${LOST}`), { recursive: true });

	try {
		const told = await found();
		const of = (kind: string, owner: string): Told =>
			told.find((each) => (each.kind === kind && owner !== '' ? each.owner === owner : each.kind === kind)) ??
			assert.fail(
				`no ${kind} of ${owner} among\n${told.map((each) => `${each.kind} ${each.name}`).join('\n')}`,
			);

		for (const kind of ['shim', 'cgroup', 'link', 'files of a pod'])
			assert.equal(of(kind, lost.id).ownerName, 'pod default/lost', kind);
		assert.match(of('host port', lost.id.slice(0, 13)).name, /^tcp 28080 /);
		assert.equal(of('host port', lost.id.slice(0, 13)).ownerName, 'pod default/lost');
		for (const kind of ['cgroup', 'writable layer', 'lease']) of(kind, lost.container);
		of('volumes and logs', '');
		of('memory volumes', 'lost-pod');
		assert.match(
			of('cgroup', lost.container).why,
			/^no record knows its id; process(es)? [\d, ]+ (is|are) in it$/,
		);

		assert.match(
			of('half-made sandbox', halfMade.id).why,
			/the daemon ended while this sandbox was being made; the next start of the daemon would take it back/,
		);
		assert.equal(
			of('half-made container', halfMade.container).ownerName,
			'container main of pod default/half-made',
		);
		assert.match(of('half-removed sandbox', halfRemoved.id).why, /was being removed/);
		of('half-removed container', halfRemoved.container);
		assert.match(of('unreadable sandbox', garbled.id).why, /cannot be read: .+JSON.+UNKNOWN/);
		assert.equal(
			of('unreadable sandbox', garbled.id).ownerName,
			'pod default/garbled',
			'its bundle tells it',
		);
		for (const { id } of [halfMade, halfRemoved, garbled])
			for (const kind of ['shim', 'cgroup', 'link']) of(kind, id);

		const orphans = of('processes', shimless.id);
		assert.equal(orphans.ownerName, 'pod default/shimless');
		assert.match(orphans.why, /the shim of their pod is gone/);
		assert.match(of('launcher', '').why, /holds the locks/);
		assert.equal(of('launcher', '').name, `process ${launcher.pid}`);

		of('removed folder', '');
		of('removed layer', '');
		of('strange folder', '');
		const temporary = told.filter(({ kind }) => kind === 'temporary file').map(({ name }) => name);
		assert.deepEqual(
			temporary.toSorted(),
			[
				join(root, 'images/images/x.json.0a1b2c3d.tmp'),
				join(state, 'sandboxes', lives, 'record.json.0a1b2c3d.tmp'),
			].toSorted(),
		);
		const waste = told.filter(({ kind }) => kind === 'image data').map(({ name }) => name);
		assert.deepEqual(waste.toSorted(), [
			join(root, 'images/images/garbled.json'),
			join(root, 'images/snapshots/zz'),
		]);
		of('mount', LOST);
		of('network namespace', LOST);
		of('writable layer', LOST);
		assert.equal(of('cgroup', LOST).name, `/elsewhere-${instance}x/${instance}-${LOST}`);
		assert.equal(told.filter(({ kind, owner }) => kind === 'socket' && owner === '').length, 1, 'of the CRI');

		for (const each of told) {
			assert.equal(each.instance, instance);
			for (const text of [each.why, each.fix, each.remedy])
				assert.notEqual(text, '', `${each.kind} ${each.name}`);
			assert.ok(
				!`${each.name} ${each.ownerName}`.includes('default/lives') && each.owner !== lives,
				each.name,
			);
		}
		assert.ok(existsSync(join(root, 'images/images/garbled.json')), 'a look moved something');

		const shown = (await gantry('doctor')).stdout;
		assert.match(
			shown,
			new RegExp(
				`^writable layer .+/${lost.container}\n {4}of: {4}instance ${instance}, ${lost.container.slice(0, 20)}\n {4}since: \\d{4}-[\\d-]+T[\\d:]+Z\n {4}why: {3}no container has it.+\n {4}--fix: removes it for good.+\n {4}or: {4}rm -r /`,
				'm',
			),
		);
		assert.match(
			shown,
			/^link .+\n {4}of: {4}instance \w+, pod default\/lost, [0-9a-f]{20}\n {4}since: the machine does not tell$/m,
		);

		const living = containers
			.filter(({ pod_sandbox_id }) => [lives, shimless.id].includes(pod_sandbox_id))
			.map(({ id }) => id);
		const pods = podsOf(lives, shimless.id);
		const strangers = () =>
			strangersOf({ instance, folder, sandboxes: [lives, shimless.id], containers: living, pods });
		const seen = new Set(strangers().map((stranger) => stranger.split(' ')[0]));
		assert.deepEqual([...seen].toSorted(), ['cgroup', 'file', 'host', 'lease', 'link', 'mount', 'process']);
		await found('--fix');
		assert.deepEqual(await found(), []);
		assert.deepEqual(strangers(), []);
		others.check();
	} finally {
		if (linkOf(`/proc/${launcher.pid}/exe`) !== '') process.kill(launcher.pid, 'SIGKILL');
		await stopped;
		for (const path of elsewhere)
			for (const each of [join(path, `${instance}-${LOST}`), path]) if (existsSync(each)) rmdirSync(each);
	}
	await daemon.start();
	assert.equal((await gantry('exec', 'lives/main', '--', 'true')).code, 0);
	const { items } = await daemon.cri.ListPodSandbox();
	assert.deepEqual(
		items.map(({ id, state }) => [id, state]).toSorted(),
		[
			[lives, 'SANDBOX_READY'],
			[shimless.id, 'SANDBOX_NOTREADY'],
		].toSorted(),
	);
	assert.equal((await gantry('rm', 'shimless')).code, 0);
});

/** The uids that `gantry run` gave. */
function podsOf(...ids: string[]): string[] {
	return ids.map(
		(id) => JSON.parse(readFileSync(record('sandboxes', id), 'utf8')).value.metadata.config.metadata.uid,
	);
}

test('while a daemon runs, too; what it lists as UNKNOWN it removes itself', async () => {
	const garbled = await runPod('garbled-again');
	const [uid = ''] = podsOf(garbled.id);
	await daemon.stop();
	truncateSync(record('sandboxes', garbled.id), 40);
	utimesSync(join(state, 'sandboxes', garbled.id), 1e9, 1e9);
	await daemon.start();
	make(join(root, 'containers', LOST));
	const cgroups = CGROUPS.map((path) => join(path, `${instance}-${LOST}`));
	for (const path of cgroups) mkdirSync(path);
	execFileSync('ip', ['link', 'add', `l${instance}`, 'type', 'bridge']);
	execFileSync('ip', ['link', 'set', `l${instance}`, 'alias', `gantry:${instance}:${LOST}`]);

	const kinds = (told: readonly Told[]): string[] => told.map(({ kind }) => kind).toSorted();
	const young = await found();
	assert.deepEqual(
		kinds(young),
		['cgroup', 'link', 'unreadable sandbox'],
		'a young folder may be in the making',
	);
	utimesSync(join(root, 'containers', LOST), 1e9, 1e9);
	const told = await found();
	assert.deepEqual(kinds(told), ['cgroup', 'link', 'unreadable sandbox', 'writable layer']);
	const unknown = told.find(({ owner }) => owner === garbled.id);
	assert.match(unknown?.fix ?? '', /^asks the daemon to remove/);
	assert.match(unknown?.remedy ?? '', /^crictl rmp -f /);
	await found('--fix');
	assert.deepEqual(await found(), []);
	const { items } = await daemon.cri.ListPodSandbox();
	assert.deepEqual(
		items.map(({ metadata }) => metadata?.name),
		['lives'],
	);
	assert.deepEqual(cgroups.filter(existsSync), []);
	// Its logs are too young to be told of yet; on a slow machine the next test would see them.
	rmSync(join(root, 'pods', uid), { recursive: true });
});

test('while pods come and go as fast as they can, nothing is found', async () => {
	let over = false;
	const churn = Array.from({ length: 4 }, async (_, client) => {
		let pods = 0;
		for (; !over || pods === 0; pods++) {
			const metadata = {
				name: `churn-${client}-${pods}`,
				namespace: 'tests',
				uid: `${client}-${pods}`,
				attempt: 0,
			};
			const port_mappings = [
				{ protocol: 'TCP' as const, container_port: 80, host_port: 28100 + client, host_ip: '' },
			];
			const { pod_sandbox_id } = await daemon.cri.RunPodSandbox({ config: { metadata, port_mappings } });
			const config = { metadata: { name: 'main', attempt: 0 }, image: { image }, command: ['sleep', '1000'] };
			const { container_id } = await daemon.cri.CreateContainer({ pod_sandbox_id, config });
			await daemon.cri.StartContainer({ container_id });
			await daemon.cri.RemovePodSandbox({ pod_sandbox_id });
		}
		return pods;
	});
	try {
		for (let look = 0; look < 15; look++) assert.deepEqual(await found(), []);
	} finally {
		over = true;
		await Promise.all(churn);
	}
});

test('an instance that never ran has nothing, and looking makes nothing', async () => {
	const nowhere = join(folder, 'nowhere');
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

test('a root folder in memory is told, but is nothing left behind', async () => {
	const nowhere = join(folder, 'nowhere');
	const memory = mkdtempSync('/dev/shm/gantry-doctor-');
	const said = await gantry(
		...['doctor', '--root', memory, '--state', join(nowhere, 'state')],
		...['--set', 'instance=nobody', '--address', `unix://${nowhere}/sock`],
	);
	rmSync(memory, { recursive: true });
	assert.deepEqual([said.code, said.stdout], [0, '']);
	assert.match(said.stderr, /note: The root folder \/dev\/shm\/gantry-doctor-\S+ is on a tmpfs/);
});
