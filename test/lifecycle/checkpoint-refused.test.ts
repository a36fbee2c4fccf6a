/**
 * What is refused about checkpoints, and that a container goes on when one fails. Needs no CRIU: a program that
 * answers as one does stands in for it, for it alone can be made to fail and to hang.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
	chmodSync,
	chownSync,
	existsSync,
	lchownSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	symlinkSync,
	writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import type { ContainerConfigInit, LinuxContainerSecurityContextInit } from '#cri-api';
import { Deadline } from '../../src/checkpoint/deadline.ts';
import { restoreSharedMemory, SHARED_MEMORY } from '../../src/checkpoint/shared-memory.ts';
import { writeFakeCriu } from '../support/fake-criu.ts';
import { freeze, frozen } from '../support/freezer.ts';
import { until } from '../support/until.ts';
import { failureOf, TestBed } from './harness.ts';

let bed: TestBed;
let program = '';
let pod = '';
let id = '';

before(async () => {
	const folder = mkdtempSync(join(tmpdir(), 'gantry-fake-criu-'));
	program = join(folder, 'criu');
	bed = await TestBed.start([`runtime.criu_path=${program}`]);
	pod = await bed.runPod();
	id = await bed.run(pod);
});
after(async () => {
	await bed[Symbol.asyncDispose]();
	rmSync(join(program, '..'), { recursive: true });
});
beforeEach(() => rmSync(program, { force: true }));

const location = () => join(bed.folder, 'checkpoint.tar');
const checkpoint = (rest: object = {}) =>
	bed.cri.CheckpointContainer({ container_id: id, location: location(), ...rest });
const checkpointPod = (rest: object = {}) =>
	bed.cri.CheckpointPod({ pod_sandbox_id: pod, output_path: location(), ...rest });
const restorePod = (rest: object = {}) => bed.cri.RestorePod({ checkpoint_path: location(), ...rest });

async function refused(call: Promise<unknown>, condition: string, message: RegExp): Promise<void> {
	const failure = await failureOf(call);
	assert.equal(failure.condition, condition, failure.message);
	assert.match(failure.message, message);
}

/** The container runs, nobody holds it, and nothing half-written lies about. */
async function allIsWell(): Promise<void> {
	assert.equal(await bed.sh(id, 'echo well'), 'well');
	const { cgroupsPath, folder } = bed.daemon.containers.get(id)?.metadata ?? assert.fail();
	assert.equal(frozen(bed.daemon.cgroups, cgroupsPath), false);
	assert.equal(existsSync(join(folder, 'checkpoint')), false);
	assert.deepEqual(
		readdirSync(bed.folder).filter((name) => name.startsWith('checkpoint')),
		[],
	);
}

test('without CRIU all three are UNIMPLEMENTED, and say what to install', async () => {
	const path = join(bed.folder, 'saved');
	mkdirSync(path, { recursive: true });
	for (const call of [checkpoint(), checkpointPod(), restorePod({ checkpoint_path: path })])
		await refused(call, 'UNIMPLEMENTED', /no file .*runtime\.criu_path.*3\.17 or newer/);
	await allIsWell();
});

test('a CRIU that is too old, or not for this kernel, is refused by its version', async () => {
	writeFakeCriu(program, { version: '3.9' });
	await refused(checkpoint(), 'UNIMPLEMENTED', /CRIU 3\.9 at .* is too old: install 3\.17 or newer/);
	writeFakeCriu(program, { version: '3.17.1', complaint: 'vdso: Unexpected rt vDSO area bounds' });
	const why = /CRIU 3\.17\.1 .*does not work with this kernel .*vdso: Unexpected rt vDSO area bounds/;
	await refused(checkpointPod(), 'UNIMPLEMENTED', why);
	await allIsWell();
});

test('Status tells which CRIU there is; one that appears is found without a restart', async () => {
	const told = async () => JSON.parse((await bed.cri.Status({ verbose: true })).info.checkpoint ?? '{}');
	assert.match((await told()).problem, /no file/);
	writeFakeCriu(program);
	assert.deepEqual(await told(), { path: program, version: '4.2', problem: '' });
});

test('a place that cannot be written to is bad input, and known before anything is frozen', async () => {
	writeFakeCriu(program, { dump: 'exit 1' });
	const file = join(bed.folder, 'a-file');
	const full = join(bed.folder, 'full');
	writeFileSync(file, 'precious');
	mkdirSync(full, { recursive: true });
	writeFileSync(join(full, 'precious'), '');
	const [open, foreign] = [join(bed.folder, 'open'), join(bed.folder, 'foreign')];
	for (const path of [open, foreign]) mkdirSync(path);
	chmodSync(open, 0o777);
	chownSync(foreign, 1000, 0);
	const bad: readonly (readonly [string, RegExp])[] = [
		[join(open, 'x.tar'), /others than root can write to .*open, and it is not sticky/],
		[join(foreign, 'x.tar'), /foreign belongs to user 1000, not to root/],
		['', /is empty/],
		['relative.tar', /"relative\.tar" is not an absolute path/],
		['/', /no checkpoint can be written/],
		[join(bed.folder, 'missing/x.tar'), /cannot write to .*missing: ENOENT/],
		[join(file, 'x.tar'), /cannot write to .*a-file.*ENOTDIR/],
		['/proc/x.tar', /cannot write to \/proc: E/],
		[full, /is not empty \(precious/],
	];
	for (const [path, why] of bad) {
		await refused(checkpoint({ location: path }), 'INVALID_ARGUMENT', why);
		await refused(checkpointPod({ output_path: path }), 'INVALID_ARGUMENT', why);
	}
	await refused(
		checkpointPod({ output_path: file }),
		'INVALID_ARGUMENT',
		/a-file is there, and is no folder/,
	);
	assert.equal(readFileSync(file, 'utf8'), 'precious');
	await allIsWell();
});

test('a way to a checkpoint that another than root can turn is not gone, there and back', async () => {
	writeFakeCriu(program);
	const at = (name: string) => join(bed.folder, name);
	for (const name of ['foreign-home', 'sticky', 'precious', 'foreign-home/inner', 'sticky/inner'])
		mkdirSync(at(name));
	chownSync(at('foreign-home'), 1000, 0);
	chmodSync(at('sticky'), 0o1777);
	symlinkSync(at('precious'), at('foreign-link'));
	lchownSync(at('foreign-link'), 1000, 0);
	symlinkSync(at('precious'), at('sticky/link'));
	symlinkSync('loop', at('loop'));
	symlinkSync('precious', at('last-link'));
	const turned: readonly (readonly [string, RegExp])[] = [
		['foreign-home/inner/x', /foreign-home belongs to user 1000, not to root/],
		['foreign-link/x', /foreign-link belongs to user 1000, not to root/],
		['sticky/link/x', /sticky\/link is a link in a folder that others can write to/],
		['loop/x', /loop is one of too many links/],
	];
	for (const [name, why] of turned) {
		await refused(checkpoint({ location: at(name) }), 'INVALID_ARGUMENT', why);
		await refused(checkpointPod({ output_path: at(name) }), 'INVALID_ARGUMENT', why);
		await refused(restorePod({ checkpoint_path: at(name) }), 'FAILED_PRECONDITION', why);
	}
	await refused(checkpoint({ location: at('last-link') }), 'INVALID_ARGUMENT', /last-link is a link/);
	await refused(restorePod({ checkpoint_path: at('last-link') }), 'FAILED_PRECONDITION', /neither a regular/);
	assert.deepEqual(readdirSync(at('precious')), []);
	// Root's own link in a folder of root's, and a folder that others may add names to, are fine.
	symlinkSync('sticky/inner', at('link'));
	await checkpoint({ location: at('link/x.tar') });
	assert.deepEqual(readdirSync(at('sticky/inner')), ['x.tar']);
	await allIsWell();
});

test('a call that is made again joins the one under way; after it, it saves anew', async () => {
	const [began, go] = [join(bed.folder, 'began'), join(bed.folder, 'go')];
	writeFakeCriu(program, { dump: `echo >> ${began}; until [ -e ${go} ]; do sleep 0.01; done` });
	const saves = () => (existsSync(began) ? readFileSync(began, 'utf8').length : 0);
	const [file, folder, pods] = ['again.tar', 'again', 'again-pod'].map((name) => join(bed.folder, name));
	const calls = [
		() => checkpoint({ location: file }),
		() => checkpoint({ location: `${folder}/` }),
		() => checkpointPod({ output_path: pods }),
	];
	for (const call of calls) {
		const first = call();
		await until('the first has begun', () => saves() === 1);
		const again = [call(), call()];
		await bed.cri.Version({});
		writeFileSync(go, '');
		await Promise.all([first, ...again]);
		assert.equal(saves(), 1);
		await call();
		assert.equal(saves(), 2);
		for (const path of [began, go]) rmSync(path);
	}
	for (const path of [`${folder}/config.dump`, `${pods}/pod.dump`]) assert.ok(existsSync(path), path);
	// Another's is kept.
	const other = await bed.run(pod);
	writeFileSync(go, '');
	await refused(
		bed.cri.CheckpointContainer({ container_id: other, location: folder as string }),
		'INVALID_ARGUMENT',
		/is not empty/,
	);
	const empty = await bed.runPod();
	await bed.run(empty);
	await refused(
		bed.cri.CheckpointPod({ pod_sandbox_id: empty, output_path: pods as string }),
		'INVALID_ARGUMENT',
		/is not empty/,
	);
	await bed.cri.RemovePodSandbox({ pod_sandbox_id: empty });
	await bed.cri.RemoveContainer({ container_id: other });
	for (const path of [began, go]) rmSync(path, { force: true });
	await allIsWell();
});

test('what cannot be saved is refused by its reason', async () => {
	writeFakeCriu(program);
	await refused(checkpoint({ container_id: '' }), 'INVALID_ARGUMENT', /container_id is empty/);
	await refused(checkpoint({ container_id: '0000' }), 'NOT_FOUND', /No container 0000/);
	await refused(checkpoint({ timeout: -1n }), 'INVALID_ARGUMENT', /timeout is -1 s/);
	await refused(checkpointPod({ pod_sandbox_id: '0000' }), 'NOT_FOUND', /No sandbox 0000/);
	await refused(checkpointPod({ container_ids: ['0000'] }), 'INVALID_ARGUMENT', /has no container "0000"/);
	await refused(
		checkpointPod({ options: { fast: 'yes' } }),
		'UNIMPLEMENTED',
		/options: "fast" is not supported/,
	);
	const created = await bed.create(pod);
	await refused(checkpoint({ container_id: created }), 'FAILED_PRECONDITION', /it is created, not running/);
	const unlike: readonly (readonly [ContainerConfigInit, RegExp])[] = [
		[{ tty: true }, /it has a terminal/],
		[{ linux: { security_context: { namespace_options: { pid: 'POD' } } } }, /shares its process ids/],
	];
	for (const [config, why] of unlike) {
		const container_id = await bed.run(pod, config);
		await refused(checkpoint({ container_id }), 'UNIMPLEMENTED', why);
		await refused(checkpointPod({ container_ids: [container_id] }), 'UNIMPLEMENTED', why);
		await bed.cri.RemoveContainer({ container_id });
	}
	const empty = await bed.runPod();
	await refused(checkpointPod({ pod_sandbox_id: empty }), 'FAILED_PRECONDITION', /no container runs in it/);
	await bed.cri.StopPodSandbox({ pod_sandbox_id: empty });
	await refused(checkpointPod({ pod_sandbox_id: empty }), 'FAILED_PRECONDITION', /it is notready/);
	await allIsWell();
});

test('what is no checkpoint cannot be restored', async () => {
	writeFakeCriu(program);
	const path = join(bed.folder, 'broken');
	mkdirSync(path, { recursive: true });
	const restore = (rest: object = {}) => restorePod({ checkpoint_path: path, ...rest });
	await refused(restore({ checkpoint_path: '' }), 'INVALID_ARGUMENT', /checkpoint_path is empty/);
	await refused(restore({ checkpoint_path: 'here' }), 'INVALID_ARGUMENT', /not an absolute path/);
	for (const checkpoint_path of ['/nowhere', '/no/where', `${path}/no/where`])
		await refused(
			restore({ checkpoint_path }),
			'INVALID_ARGUMENT',
			/checkpoint_path: cannot read .*: ENOENT/,
		);
	await refused(restore(), 'INVALID_ARGUMENT', /is no checkpoint of a pod: it has no pod\.dump/);
	await refused(restore({ options: { fast: 'yes' } }), 'UNIMPLEMENTED', /"fast" is not supported/);
	const dump = (value: unknown) => writeFileSync(join(path, 'pod.dump'), JSON.stringify(value));
	dump('no object');
	await refused(restore(), 'INVALID_ARGUMENT', /pod\.dump/);
	const one = {
		version: 1,
		config: bed.podConfig(),
		runtimeHandler: '',
		containers: [{ name: 'a', folder: '../a' }],
	};
	dump({ ...one, version: 2 });
	await refused(restore(), 'INVALID_ARGUMENT', /pod\.dump\.version is 2/);
	dump({ ...one, config: { ...one.config, labels: 'abc' }, containers: [] });
	await refused(restore(), 'INVALID_ARGUMENT', /pod\.dump\.config .*labels: object expected/);
	assert.ok(Array.isArray((await bed.cri.ListPodSandbox({})).items));
	dump(one);
	await refused(restore(), 'INVALID_ARGUMENT', /"\.\.\/a" leaves the checkpoint/);
	dump({ ...one, containers: [{ name: 'a', folder: 'a' }] });
	const strange = [{ metadata: { name: 'b', attempt: 0 } }];
	await refused(restore({ container_configs: strange }), 'INVALID_ARGUMENT', /has no container "b"/);
	await refused(restore(), 'INVALID_ARGUMENT', /it has no gantry\.json/);
});

/** A pod with one container as CheckpointPod saves it, but for its processes. */
async function savedPod(path: string, config: ContainerConfigInit = {}): Promise<void> {
	writeFakeCriu(program);
	const pod_sandbox_id = await bed.runPod();
	await bed.run(pod_sandbox_id, config);
	await bed.cri.CheckpointPod({ pod_sandbox_id, output_path: path });
	await bed.cri.RemovePodSandbox({ pod_sandbox_id });
}

test('a checkpoint that others than root can write is not restored', async () => {
	const path = join(bed.folder, 'distrusted');
	await savedPod(path, { metadata: { name: 'a', attempt: 0 } });
	const images = join(path, 'containers/0-a/checkpoint');
	const file = join(images, 'core-1.img');
	const refusedFor = async (why: RegExp) => {
		await refused(restorePod({ checkpoint_path: path }), 'FAILED_PRECONDITION', why);
		rmSync(file);
	};
	symlinkSync('/etc/hostname', file);
	await refusedFor(/Cannot restore from .*core-1\.img: it is neither a regular file nor a folder/);
	writeFileSync(file, '');
	chmodSync(file, 0o620);
	await refusedFor(/core-1\.img: others than its owner can write to it/);
	writeFileSync(file, '');
	chownSync(file, 1000, 0);
	await refusedFor(/core-1\.img: it belongs to user 1000/);
	chmodSync(images, 0o777);
	await refused(restorePod({ checkpoint_path: path }), 'FAILED_PRECONDITION', /checkpoint: others/);
	await allIsWell();
});

test('a restored container keeps the protection that its processes have; another is refused by its field', async () => {
	const path = join(bed.folder, 'protected');
	const its = (security_context: LinuxContainerSecurityContextInit): ContainerConfigInit => ({
		metadata: { name: 'a', attempt: 0 },
		image: { image: 'busybox' },
		linux: { security_context: { namespace_options: { pid: 'CONTAINER' }, ...security_context } },
	});
	await savedPod(path, its({ run_as_user: { value: 7n } }));
	const unlike: readonly (readonly [LinuxContainerSecurityContextInit, RegExp])[] = [
		[{}, /process\.user .* is not what the saved processes were made with/],
		[{ run_as_user: { value: 7n }, no_new_privs: true }, /process\.noNewPrivileges/],
		[{ run_as_user: { value: 7n }, capabilities: { add_capabilities: ['SYS_TIME'] } }, /capabilities/],
		[{ run_as_user: { value: 7n }, seccomp: { profile_type: 'RuntimeDefault' } }, /linux\.seccomp/],
		[{ run_as_user: { value: 7n }, privileged: true }, /security_context\.privileged/],
	];
	for (const [context, why] of unlike) {
		const container_configs = [its(context)];
		const call = restorePod({ checkpoint_path: path, config: bed.podConfig(), container_configs });
		await refused(call, 'FAILED_PRECONDITION', why);
	}
	await allIsWell();
});

test('what is no checkpoint of a container makes none, and nothing is left', async () => {
	writeFakeCriu(program);
	const at = (name: string) => join(bed.folder, name);
	const victim = await bed.run(pod, { metadata: { name: 'victim', attempt: 0 } });
	await bed.cri.CheckpointContainer({ container_id: victim, location: at('good.tar') });
	await bed.cri.RemoveContainer({ container_id: victim });
	writeFileSync(at('words.tar'), 'no archive');
	execFileSync('tar', ['-C', bed.folder, '-cf', at('other.tar'), './words.tar']);
	execFileSync('cp', [at('good.tar'), at('foreign.tar')]);
	writeFileSync(at('cut.tar'), readFileSync(at('good.tar')).subarray(0, 700));
	chownSync(at('foreign.tar'), 1000, 0);
	mkdirSync(at('inside'));
	execFileSync('tar', ['-C', at('inside'), '-xf', at('good.tar')]);
	symlinkSync('/etc/hostname', at('inside/checkpoint/link'));
	execFileSync('tar', ['-C', at('inside'), '-cf', at('linked.tar'), '.']);
	const dump = readFileSync(at('inside/config.dump'), 'utf8').replace(
		/"rootfsImage":"[^"]*"/,
		'"rootfsImage":"x"',
	);
	rmSync(at('inside/checkpoint/link'));
	writeFileSync(at('inside/config.dump'), dump);
	const config = (name: string, rest: ContainerConfigInit = {}): ContainerConfigInit => ({
		metadata: { name: 'victim', attempt: 1 },
		image: { image: at(name) },
		...rest,
	});
	const made = () => [readdirSync(bed.daemon.containers.layersFolder), bed.daemon.containers.list().length];
	const before = made();
	const own = { pid: 'CONTAINER' } as const;
	const bad: readonly (readonly [ContainerConfigInit, string, RegExp])[] = [
		[config('missing.tar'), 'INVALID_ARGUMENT', /cannot read .*missing\.tar: ENOENT/],
		[config('words.tar'), 'INVALID_ARGUMENT', /words\.tar: .*This does not look like a tar archive/],
		[config('cut.tar'), 'INVALID_ARGUMENT', /cut\.tar: .*Unexpected EOF/],
		[config('other.tar'), 'INVALID_ARGUMENT', /other\.tar .* has no \.\/gantry\.json/],
		[
			config('nothing'),
			'INVALID_ARGUMENT',
			/nothing is no checkpoint of a container: it has no gantry\.json/,
		],
		[config('foreign.tar'), 'FAILED_PRECONDITION', /foreign\.tar: it belongs to user 1000/],
		[
			config('linked.tar'),
			'FAILED_PRECONDITION',
			/checkpoint\/link: it is neither a regular file nor a folder/,
		],
		[
			config('inside'),
			'NOT_FOUND',
			/Image busybox \(x\), which the container of .* was made from, is not on/,
		],
		[config('good.tar', { tty: true }), 'UNIMPLEMENTED', /restore container \w+: it has a terminal/],
		[
			config('good.tar', { linux: { security_context: { namespace_options: { pid: 'POD' } } } }),
			'UNIMPLEMENTED',
			/shares its process ids/,
		],
		[
			config('good.tar', { linux: { security_context: { namespace_options: own, no_new_privs: true } } }),
			'FAILED_PRECONDITION',
			/process\.noNewPrivileges/,
		],
		[
			config('good.tar', { mounts: [{ host_path: bed.folder, container_path: '/new' }] }),
			'FAILED_PRECONDITION',
			/no mount at \/new/,
		],
		[config('good.tar'), 'INTERNAL', /Cannot create container/],
	];
	mkdirSync(at('nothing'));
	for (const [given, condition, why] of bad) await refused(bed.create(pod, given), condition, why);
	assert.deepEqual(made(), before);
	await allIsWell();
});

test('files of a saved /dev/shm come back among those of others; a link there leads nothing out of the pod', async () => {
	const own = await bed.runPod();
	const other = await bed.run(own);
	const [folder, inside, host] = ['memory', 'memory/inside', 'memory/host'].map((name) =>
		join(bed.folder, name),
	) as [string, string, string];
	for (const name of ['host', 'inside/led', 'inside/way']) mkdirSync(join(folder, name), { recursive: true });
	for (const name of ['led/out', 'way/in', 'free', 'mine', 'aim', 'owned'])
		writeFileSync(join(inside, name), name);
	chownSync(join(inside, 'owned'), 7, 8);
	chmodSync(join(inside, 'owned'), 0o640);
	execFileSync('tar', ['-C', inside, '-cf', join(folder, SHARED_MEMORY), '.']);
	const links = `ln -s ${host} /dev/shm/led; ln -s ${host}/aim /dev/shm/aim`;
	await bed.sh(other, `${links}; echo theirs > /dev/shm/mine`);
	const deadline = new Deadline('restore', 60n, bed.daemon.config);
	const restore = (amongOthers: boolean) =>
		restoreSharedMemory(bed.daemon, own, { folder, amongOthers }, deadline);
	await restore(true);
	assert.deepEqual(readdirSync(host), []);
	const look =
		'cd /dev/shm; cat free mine; ls -A way; stat -c "%n %a %u %g" owned; readlink led; readlink aim';
	assert.equal(await bed.sh(other, look), `freetheirs\nowned 640 7 8\n${host}\n${host}/aim`);
	await bed.cri.RemoveContainer({ container_id: other });
	await bed.cri.StopPodSandbox({ pod_sandbox_id: own });
	// Its pause process is gone, and its pid may be another's.
	await assert.rejects(restore(true), /Sandbox \w+ is not ready/);
	await bed.cri.RemovePodSandbox({ pod_sandbox_id: own });
});

test('a plain creation does not join one of that name from a checkpoint', async () => {
	const [image, began] = [join(bed.folder, 'joined.tar'), join(bed.folder, 'restoring')];
	writeFakeCriu(program, {
		restore: `touch ${began}; until [ -e ${began}.go ]; do sleep 0.01; done; exit 1`,
	});
	await checkpoint({ location: image });
	const metadata = { name: 'joined', attempt: 0 };
	const restoring = failureOf(bed.create(pod, { metadata, image: { image } }));
	await until('CRIU restores', () => existsSync(began));
	await refused(bed.create(pod, { metadata }), 'ALREADY_EXISTS', /joined.* exists already/);
	writeFileSync(`${began}.go`, '');
	assert.equal((await restoring).condition, 'INTERNAL');
	for (const path of [image, began, `${began}.go`]) rmSync(path);
	await allIsWell();
});

test('CRIU fails: its words are the answer, and the container goes on', async () => {
	const log = 'Error (criu/files.c:9): Cannot dump file 7\\nError (criu/cr-dump.c:1): Dumping FAILED.';
	writeFakeCriu(program, { dump: `printf '${log}\\n' > "$log"; exit 1` });
	const why = /Cannot save the processes of container \w+: Cannot dump file 7; Dumping FAILED/;
	await refused(checkpoint(), 'INTERNAL', why);
	await refused(checkpointPod(), 'INTERNAL', why);
	await allIsWell();
});

test('CRIU finds no room: RESOURCE_EXHAUSTED', async () => {
	const log = 'Error (criu/image.c:9): write failed: No space left on device';
	writeFakeCriu(program, { dump: `echo '${log}' > "$log"; exit 1` });
	await refused(checkpoint(), 'RESOURCE_EXHAUSTED', /No space left on device/);
	await allIsWell();
});

test('CRIU hangs: the timeout ends it, meanwhile a second checkpoint is refused', async () => {
	const began = join(bed.folder, 'began');
	writeFakeCriu(program, { dump: `touch ${began}; exec sleep 1000` });
	const hanging = failureOf(checkpoint({ timeout: 1n }));
	await until('the first has begun', () => existsSync(began));
	await refused(checkpoint(), 'ABORTED', /a checkpoint of container \w+ is under way/);
	await refused(checkpointPod(), 'ABORTED', /under way/);
	assert.equal((await hanging).condition, 'DEADLINE_EXCEEDED');
	rmSync(began);
	await allIsWell();
});

test('a container that is removed while it is saved is gone', async () => {
	const began = join(bed.folder, 'began');
	writeFakeCriu(program, { dump: `touch ${began}; until [ -e ${began}.go ]; do sleep 0.01; done; exit 1` });
	const victim = await bed.run(pod);
	const saving = failureOf(checkpoint({ container_id: victim }));
	await until('it has begun', () => existsSync(began));
	await bed.cri.RemoveContainer({ container_id: victim });
	writeFileSync(`${began}.go`, '');
	assert.equal((await saving).condition, 'INTERNAL');
	assert.equal(bed.daemon.containers.get(victim), undefined);
	for (const name of [began, `${began}.go`]) rmSync(name);
	await allIsWell();
});

test("a container's link at /dev/shm leads to no file of the node", async () => {
	writeFakeCriu(program);
	const [volume, secret, location] = ['dev', 'secret', 'saved-dev'].map((name) => join(bed.folder, name));
	for (const path of [volume, secret, location]) mkdirSync(path as string);
	writeFileSync(`${secret}/of-the-node`, '');
	symlinkSync(secret as string, `${volume}/shm`);
	const mounts = [{ host_path: volume, container_path: '/dev' }];
	const container_id = await bed.run(pod, { mounts });
	await bed.cri.CheckpointContainer({ container_id, location });
	await bed.cri.RemoveContainer({ container_id });
	const listed = execFileSync('tar', ['-tf', `${location}/devshm-checkpoint.tar`]).toString();
	assert.doesNotMatch(listed, /of-the-node/);
	await allIsWell();
});

test('a container that ends while CRIU is looked for is not saved', async () => {
	const began = join(bed.folder, 'looked');
	writeFakeCriu(program, { look: `touch ${began}; until [ -e ${began}.go ]; do sleep 0.01; done` });
	const container_id = await bed.run(pod);
	const saving = failureOf(checkpoint({ container_id }));
	await until('CRIU is looked for', () => existsSync(began));
	await bed.cri.StopContainer({ container_id, timeout: 0n });
	writeFileSync(`${began}.go`, '');
	const failure = await saving;
	assert.equal(failure.condition, 'FAILED_PRECONDITION');
	assert.match(failure.message, /it is exited, not running/);
	await bed.cri.RemoveContainer({ container_id });
	await allIsWell();
});

test('what a killed daemon had frozen goes on before anything else of the recovery', async () => {
	const { cgroupsPath, folder } = bed.daemon.containers.get(id)?.metadata ?? assert.fail();
	await freeze(bed.daemon.cgroups, cgroupsPath);
	writeFileSync(join(folder, 'checkpoint'), join(bed.folder, 'checkpoint.00000000.tmp'));
	await bed.crash();
	await bed.start(undefined, () => until('it is thawed', () => !frozen(bed.daemon.cgroups, cgroupsPath)));
	await until('it is known', () => bed.daemon.containers.checkpointing.size === 0);
	await allIsWell();
});

test('processes that a CRIU leaves behind when it fails to restore are gone before that is said', async () => {
	const [path, left] = [join(bed.folder, 'failing'), join(bed.folder, 'left')];
	await savedPod(path);
	writeFakeCriu(program, {
		restore: `trap '' TERM; sleep 1000 <&- >&- 2>&- & echo $! > ${left}; exit 1`,
	});
	await refused(restorePod({ checkpoint_path: path, config: bed.podConfig() }), 'INTERNAL', /Cannot create/);
	assert.equal(existsSync(`/proc/${readFileSync(left, 'utf8').trim()}`), false);
	await allIsWell();
});
