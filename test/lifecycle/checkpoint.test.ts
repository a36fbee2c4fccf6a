/**
 * Checkpoints and restores with the CRIU of this machine, where it works with this kernel; GANTRY_TEST_CRIU names
 * another one. What is refused, and what happens when CRIU fails, is in checkpoint-refused.test.ts, which always runs.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import type { ContainerConfigInit } from '#cri-api';
import { until } from '../support/until.ts';
import { failureOf, TestBed } from './harness.ts';

/** Counts in memory, in its log and in a file: what goes on, goes on from where it was. */
const COUNTER =
	'i=0; mkdir -p /root/mine; while :; do i=$((i+1)); echo $i; echo $i > /root/mine/count; sleep 0.02; done';
const counter = (config: ContainerConfigInit = {}): ContainerConfigInit => ({
	metadata: { name: 'counter', attempt: 0 },
	command: ['sh', '-c', COUNTER],
	log_path: 'counter.log',
	...config,
});

let bed: TestBed;
let problem = '';
let checkpoints = 0;

before(async () => {
	const path = process.env.GANTRY_TEST_CRIU ?? '';
	bed = await TestBed.start(path === '' ? [] : [`runtime.criu_path=${path}`]);
	({ problem } = await bed.daemon.criu.look());
});
after(() => bed[Symbol.asyncDispose]());

/** A test that says loudly when it did not run. */
function withCriu(name: string, work: (t: TestContext) => Promise<void>): void {
	test(name, async (t) => {
		if (problem !== '') return t.skip(`checkpoints were NOT tested: ${problem}`);
		await work(t);
	});
}

/** What a config of a request says, and the harness fills in otherwise. */
const GIVEN: ContainerConfigInit = {
	image: { image: 'busybox' },
	linux: { security_context: { namespace_options: { pid: 'CONTAINER' } } },
};
const newPath = (): string => join(bed.folder, `checkpoint-${++checkpoints}`);
/** Seen from the node: a container that is not started runs no command. */
const countOf = async (id: string): Promise<number> => {
	const path = `/proc/${pidOf(id)}/root/root/mine/count`;
	return existsSync(path) ? Number(readFileSync(path, 'utf8')) : 0;
};
const pidOf = (id: string): number => bed.daemon.containers.get(id)?.status.process?.pid ?? 0;
const stateOf = async (id: string) => (await bed.cri.ContainerStatus({ container_id: id })).status?.state;

async function countsBeyond(id: string, count: number): Promise<void> {
	await until(`it counts beyond ${count}`, async () => (await countOf(id)) > count);
}

/** Runs a container, saves its pod when it is `ready`, and removes the pod. Answers where it was saved. */
async function saved(
	configs: readonly ContainerConfigInit[],
	isReady: (ids: readonly string[]) => Promise<void>,
): Promise<string> {
	const pod_sandbox_id = await bed.runPod();
	const ids: string[] = [];
	for (const config of configs) ids.push(await bed.run(pod_sandbox_id, config));
	await isReady(ids);
	const output_path = newPath();
	await bed.cri.CheckpointPod({ pod_sandbox_id, output_path });
	await bed.cri.RemovePodSandbox({ pod_sandbox_id });
	return output_path;
}

async function restored(
	checkpoint_path: string,
	container_configs: readonly ContainerConfigInit[] = [],
): Promise<{ readonly pod: string; readonly ids: readonly string[] }> {
	const config = bed.podConfig();
	const answer = await bed.cri.RestorePod({
		checkpoint_path,
		config,
		container_configs: [...container_configs],
	});
	const ids = answer.restored_containers.map(({ container_id }) => container_id);
	return { pod: answer.pod_sandbox_id, ids };
}

const start = (id: string) => bed.cri.StartContainer({ container_id: id });

async function logOf(id: string): Promise<string[]> {
	const { status } = await bed.cri.ContainerStatus({ container_id: id });
	const lines = readFileSync(status?.log_path ?? '', 'utf8').split('\n');
	return lines.filter((line) => line !== '').map((line) => line.split(' ').slice(3).join(' '));
}

withCriu('a container goes on counting; the archive has the layout of other runtimes', async () => {
	const id = await bed.run(await bed.runPod(), counter());
	await countsBeyond(id, 3);
	await bed.sh(id, 'rm /data/file; echo new > /root/mine/file');
	const location = newPath();
	await bed.cri.CheckpointContainer({ container_id: id, location, timeout: 600n });
	await countsBeyond(id, (await countOf(id)) + 2);
	assert.equal(statSync(location).mode & 0o7777, 0o600);
	const names = execFileSync('tar', ['-tf', location]).toString().split('\n');
	for (const name of [
		'checkpoint/pstree.img',
		'config.dump',
		'spec.dump',
		'rootfs-diff.tar',
		'deleted.files',
		'dump.log',
	])
		assert.ok(names.includes(`./${name}`), name);
	const text = (name: string) => execFileSync('tar', ['-xOf', location, `./${name}`]).toString();
	assert.deepEqual(JSON.parse(text('deleted.files')), ['/data/file']);
	assert.equal(JSON.parse(text('config.dump')).id, id);
	const written = execFileSync('tar', ['-t'], {
		input: execFileSync('tar', ['-xOf', location, './rootfs-diff.tar']),
	}).toString();
	assert.match(written, /^\.\/root\/mine\/file$/m);
	assert.doesNotMatch(written, /^\.\/data\/file$/m);
	assert.deepEqual(
		readdirSync(bed.folder).filter((name) => name.endsWith('.tmp')),
		[],
	);
});

withCriu('a location that is an empty folder gets the same as files', async () => {
	const id = await bed.run(await bed.runPod(), counter());
	const location = newPath();
	await mkdir(location);
	await bed.cri.CheckpointContainer({ container_id: id, location });
	assert.ok(existsSync(join(location, 'checkpoint/pstree.img')));
	assert.equal(statSync(location).mode & 0o7777, 0o700);
});

withCriu('a restored pod is CREATED, and counts on from where it was', async () => {
	const path = await saved([counter()], ([id = '']) => countsBeyond(id, 20));
	const { ids } = await restored(path);
	const [id = ''] = ids;
	assert.equal(await stateOf(id), 'CONTAINER_CREATED');
	const before = await countOf(id);
	await start(id);
	assert.equal(await stateOf(id), 'CONTAINER_RUNNING');
	await countsBeyond(id, before + 3);
	const [first] = await logOf(id);
	assert.ok(Number(first) > 20);
	// The cut may lie between a line of the log and the same number in the file, and where the file is empty.
	assert.ok(before === 0 || [1, 2].includes(Number(first) - before), `${first} follows ${before}`);
});

withCriu('what is around restored processes is what was around them', async () => {
	const config = counter({
		command: ['sleep', '1000'],
		stdin: true,
		linux: {
			resources: { oom_score_adj: 500n },
			security_context: {
				namespace_options: { pid: 'CONTAINER' },
				readonly_rootfs: true,
				seccomp: { profile_type: 'RuntimeDefault' },
				masked_paths: ['/proc/acpi', '/proc/kcore', '/proc/keys', '/sys/firmware'],
				readonly_paths: ['/proc/sys', '/proc/bus'],
			},
		},
	});
	let was: readonly string[] = [];
	const path = await saved([config], async ([id = '']) => {
		await until('it sleeps', () => readFileSync(`/proc/${pidOf(id)}/cmdline`, 'utf8').startsWith('sleep'));
		was = surroundingsOf(pidOf(id));
	});
	const { pod, ids } = await restored(path);
	const pid = pidOf(ids[0] ?? '');
	assert.deepEqual(surroundingsOf(pid), was);
	const pause = bed.daemon.sandboxes.get(pod)?.status.pause?.pid ?? 0;
	for (const name of ['net', 'ipc', 'uts'])
		assert.equal(statSync(`/proc/${pid}/ns/${name}`).ino, statSync(`/proc/${pause}/ns/${name}`).ino, name);
});

/** What it sees and may do: mounts with their options, rights, filter, limits, score, cgroups, ids. */
function surroundingsOf(pid: number): string[] {
	const lines = (name: string) => readFileSync(`/proc/${pid}/${name}`, 'utf8').split('\n');
	const mounts = lines('mountinfo').map((line) => {
		const [, , , root, point, options] = line.split(' ');
		const where =
			/^\/(etc\/|sys\/fs\/cgroup)?/.exec(root ?? '')?.[0] === '/' && root?.includes('sandboxes') ? '' : root;
		return `mount ${point} ${options} ${line.split(' - ')[1]?.split(' ')[0]} ${where}`;
	});
	const rights = lines('status').filter((line) => /^(Uid|Gid|Groups|Cap|NoNew|Seccomp|Umask)/.test(line));
	const all = [...mounts, ...rights, ...lines('limits'), ...lines('oom_score_adj'), ...lines('cgroup')];
	return all.map((line) => line.replace(/[0-9a-f]{64}/g, 'ID')).toSorted();
}

withCriu(
	'a restored container is as any other: exec, restart of the daemon, stop, exit code, removal',
	async () => {
		const command = ['sh', '-c', `trap 'echo bye; exit 7' TERM; ${COUNTER}`];
		const path = await saved([counter({ command })], ([id = '']) => countsBeyond(id, 3));
		const { ids } = await restored(path);
		const [id = ''] = ids;
		await start(id);
		assert.equal((await failureOf(start(id))).condition, 'FAILED_PRECONDITION');
		assert.equal(await bed.sh(id, 'echo $((6*7))'), '42');
		await bed.crash();
		await bed.start();
		assert.equal(await stateOf(id), 'CONTAINER_RUNNING');
		await countsBeyond(id, (await countOf(id)) + 1);
		await bed.cri.StopContainer({ container_id: id, timeout: 20n });
		const { status } = await bed.cri.ContainerStatus({ container_id: id });
		assert.deepEqual([status?.state, status?.exit_code, status?.reason], ['CONTAINER_EXITED', 7, 'Error']);
		assert.equal((await logOf(id)).at(-1), 'bye');
		await bed.cri.RemoveContainer({ container_id: id });
		assert.equal(bed.daemon.containers.get(id), undefined);
	},
);

withCriu(
	'a restored container that was never started is stopped and removed, also by the next daemon',
	async () => {
		const path = await saved([counter()], ([id = '']) => countsBeyond(id, 3));
		const { ids } = await restored(path);
		await bed.crash();
		await bed.start();
		const [id = ''] = ids;
		assert.equal(await stateOf(id), 'CONTAINER_CREATED');
		// It is stopped and could not hear SIGTERM: nothing waits an hour for it.
		await bed.cri.StopContainer({ container_id: id, timeout: 3600n });
		assert.equal(await stateOf(id), 'CONTAINER_EXITED');
		await bed.cri.RemoveContainer({ container_id: id });
	},
);

for (const form of ['archive', 'folder'] as const) {
	withCriu(
		`a container made from ${form === 'archive' ? 'an' : 'a'} ${form} counts on from where it was`,
		async () => {
			const id = await bed.run(await bed.runPod(), counter());
			await countsBeyond(id, 10);
			await bed.sh(id, 'echo s > /dev/shm/s; echo mine > /dev/shm/mine');
			const location = form === 'archive' ? newPath() : `${newPath()}/`;
			await bed.cri.CheckpointContainer({ container_id: id, location });
			const other = await bed.runPod();
			const bystander = await bed.run(other);
			await bed.sh(bystander, 'echo theirs > /dev/shm/mine');
			const config = counter({
				...GIVEN,
				metadata: { name: 'again', attempt: 3 },
				image: { image: location },
			});
			const create = () => bed.create(other, config);
			const restoredId = await create();
			await bed.crash();
			await bed.start();
			assert.equal(await create(), restoredId, 'its answer may have been lost');
			assert.equal((await failureOf(create())).condition, 'ALREADY_EXISTS');
			const { status } = await bed.cri.ContainerStatus({ container_id: restoredId });
			assert.equal(status?.state, 'CONTAINER_CREATED');
			assert.equal(status?.image?.user_specified_image || status?.image?.image, location);
			assert.deepEqual(status?.metadata, { name: 'again', attempt: 3 });
			assert.ok(!existsSync(join(bed.daemon.containers.layerFolder(restoredId), 'checkpoint')));
			await start(restoredId);
			await until('it counts', async () => (await logOf(restoredId)).length > 2);
			assert.ok(Number((await logOf(restoredId))[0]) > 10);
			assert.equal(await bed.sh(restoredId, 'cat /dev/shm/s /dev/shm/mine'), 's\ntheirs');
			await countsBeyond(id, (await countOf(id)) + 1);
			await bed.cri.RemovePodSandbox({ pod_sandbox_id: other });
		},
	);
}

withCriu('the events of a restored pod are those of any other', async () => {
	const path = await saved([counter()], ([id = '']) => countsBeyond(id, 3));
	const { pod, ids } = await restored(path);
	const [id = ''] = ids;
	await start(id);
	await bed.cri.StopContainer({ container_id: id, timeout: 0n });
	await bed.cri.RemoveContainer({ container_id: id });
	await bed.cri.RemovePodSandbox({ pod_sandbox_id: pod });
	const told = bed.events.filter(({ sandboxId }) => sandboxId === pod);
	assert.deepEqual(
		told.map(({ type, containerId }) => `${containerId === id ? 'container' : 'pod'} ${type.split('_')[1]}`),
		[
			'pod CREATED',
			'pod STARTED',
			'container CREATED',
			'container STARTED',
			'container STOPPED',
			'container DELETED',
			'pod STOPPED',
			'pod DELETED',
		],
	);
});

withCriu(
	'a restore whose answer was lost is answered again, also by the next daemon, until it is used',
	async () => {
		const checkpoint_path = await saved([counter()], ([id = '']) => countsBeyond(id, 3));
		const config = bed.podConfig();
		const restore = () => bed.cri.RestorePod({ checkpoint_path, config });
		const [first, second] = await Promise.all([restore(), restore()]);
		assert.deepEqual(first, second);
		assert.equal((await failureOf(restore())).condition, 'ALREADY_EXISTS');
		await bed.crash();
		await bed.start();
		assert.deepEqual(await restore(), first);
		await bed.crash();
		await bed.start();
		assert.equal((await failureOf(bed.cri.RunPodSandbox({ config }))).condition, 'ALREADY_EXISTS');
		const [{ container_id = '' } = {}] = first.restored_containers;
		await start(container_id);
		const failure = await failureOf(restore());
		assert.equal(failure.condition, 'ALREADY_EXISTS', failure.message);
		await bed.cri.RemovePodSandbox({ pod_sandbox_id: first.pod_sandbox_id });
	},
);

withCriu('a restore goes on when its client leaves, and a retry gets the result', async () => {
	// The default profile of one instance is none of another's.
	const unconfined = counter({
		linux: {
			security_context: { ...GIVEN.linux?.security_context, apparmor: { profile_type: 'Unconfined' } },
		},
	});
	const checkpoint_path = await saved([unconfined], ([id = '']) => countsBeyond(id, 3));
	const hold = join(bed.folder, 'hold');
	const slow = join(bed.folder, 'slow-criu');
	const wait = `if [ "$1" = restore ]; then touch ${hold}.began; while [ -e ${hold} ]; do sleep 0.01; done; fi`;
	writeFileSync(slow, `#!/bin/sh\n${wait}\nexec ${(await bed.daemon.criu.look()).path} "$@"\n`, {
		mode: 0o755,
	});
	writeFileSync(hold, '');
	await using slowBed = await TestBed.start([`runtime.criu_path=${slow}`]);
	const config = slowBed.podConfig();
	const leaving = new AbortController();
	const restore = (signal?: AbortSignal) =>
		slowBed.cri.RestorePod({ checkpoint_path, config }, signal && { signal });
	const lost = failureOf(restore(leaving.signal));
	const refused = lost.then(({ message }) => assert.fail(`it ended before CRIU restored: ${message}`));
	await Promise.race([until('CRIU restores', () => existsSync(`${hold}.began`)), refused]);
	leaving.abort();
	assert.equal((await lost).condition, 'CANCELLED');
	const other = failureOf(slowBed.cri.RunPodSandbox({ config }));
	assert.equal((await other).condition, 'ALREADY_EXISTS');
	const retry = restore();
	rmSync(hold);
	const { pod_sandbox_id, restored_containers } = await retry;
	assert.equal(slowBed.daemon.sandboxes.list().length, 1);
	await slowBed.cri.StartContainer({ container_id: restored_containers[0]?.container_id ?? '' });
	await slowBed.cri.RemovePodSandbox({ pod_sandbox_id });
});

withCriu('what was restored can be saved and restored again', async () => {
	const once = await restored(await saved([counter()], ([id = '']) => countsBeyond(id, 10)));
	await start(once.ids[0] ?? '');
	await countsBeyond(once.ids[0] ?? '', 20);
	const output_path = newPath();
	await bed.cri.CheckpointPod({ pod_sandbox_id: once.pod, output_path });
	await bed.cri.RemovePodSandbox({ pod_sandbox_id: once.pod });
	const [id = ''] = (await restored(output_path)).ids;
	await start(id);
	await countsBeyond(id, (await countOf(id)) + 2);
	assert.ok(Number((await logOf(id))[0]) > 20);
});

withCriu('files come back as they were: written, owned, deleted, and those of /dev/shm', async () => {
	const make =
		'echo mine > /root/file; chmod 4711 /root/file; rm /data/file; mkdir /var/empty/a; ln /root/file /root/link; echo s > /dev/shm/s; exec sleep 1000';
	const config = counter({ command: ['sh', '-c', make] });
	const path = await saved([config], async ([id = '']) => {
		await bed.sh(id, 'until grep -q ^sleep /proc/1/cmdline; do sleep 0.01; done');
	});
	const [id = ''] = (await restored(path)).ids;
	await start(id);
	const look =
		'cat /root/file /dev/shm/s; stat -c "%a %u %h" /root/file; test -e /data/file || echo deleted; ls /var/empty';
	assert.equal(await bed.sh(id, look), 'mine\ns\n4711 0 2\ndeleted\na');
});

/** Each waits for the other's number, which it finds in the pod's /dev/shm: two moments would not fit together. */
const player = (mine: string, theirs: string, name: string): ContainerConfigInit =>
	counter({
		metadata: { name, attempt: 0 },
		log_path: `${name}.log`,
		command: [
			'sh',
			'-c',
			`n=0; while :; do n=$((n+1)); ${mine === 'a' ? '' : 'until [ "$(cat /dev/shm/a)" = $n ]; do :; done;'} echo $n > /dev/shm/${mine}; ${mine === 'a' ? `until [ "$(cat /dev/shm/${theirs})" = $n ]; do :; done;` : ''} done 2>/dev/null`,
		],
	});

withCriu('the containers of a pod are saved at one moment', async () => {
	const turns = async (id: string) => Number(await bed.sh(id, 'cat /dev/shm/b 2>/dev/null || echo 0'));
	const beyond = (id: string, turn: number) =>
		until(`they play beyond ${turn}`, async () => (await turns(id)) > turn);
	const players = [player('a', 'b', 'first'), player('b', 'a', 'second')];
	const path = await saved(players, ([id = '']) => beyond(id, 20));
	const { ids } = await restored(path);
	for (const id of ids) await start(id);
	await beyond(ids[0] ?? '', (await turns(ids[0] ?? '')) + 20);
});

withCriu('a server listens again; a connection that was open is closed', async () => {
	const server = {
		metadata: { name: 'server', attempt: 0 },
		command: ['busybox', 'nc', '-ll', '-p', '8080', '-e', 'cat'],
	};
	const talk =
		'busybox mkfifo /root/words; (echo hello; sleep 1000) > /root/words & until busybox nc 127.0.0.1 8080 < /root/words > /root/answer; do sleep 0.1; done; echo closed > /root/closed; exec sleep 1000';
	const client = { metadata: { name: 'client', attempt: 0 }, command: ['sh', '-c', talk] };
	const fileOf = (id: string, name: string) => bed.sh(id, `cat /root/${name} 2>/dev/null || true`);
	const path = await saved([server, client], ([, id = '']) =>
		until('they talk', async () => (await fileOf(id, 'answer')) === 'hello'),
	);
	const { ids } = await restored(path);
	for (const id of ids) await start(id);
	const [, id = ''] = ids;
	await until('the old connection is closed', async () => (await fileOf(id, 'closed')) === 'closed');
	assert.equal(await bed.sh(id, 'echo again | busybox nc -w 1 127.0.0.1 8080'), 'again');
});

withCriu(
	'chosen containers alone are saved, and a config of the request takes the place of the saved one',
	async () => {
		const pod_sandbox_id = await bed.runPod();
		const id = await bed.run(pod_sandbox_id, counter());
		await bed.run(pod_sandbox_id);
		await countsBeyond(id, 3);
		const output_path = newPath();
		await bed.cri.CheckpointPod({ pod_sandbox_id, output_path, container_ids: [id] });
		const labels = { restored: 'yes' };
		const config = {
			image: { image: 'busybox' },
			linux: { security_context: { namespace_options: { pid: 'CONTAINER' as const } } },
		};
		const { ids } = await restored(output_path, [counter({ ...config, labels, log_path: 'again.log' })]);
		assert.equal(ids.length, 1);
		const { status } = await bed.cri.ContainerStatus({ container_id: ids[0] ?? '' });
		assert.deepEqual(status?.labels, labels);
		assert.match(status?.log_path ?? '', /again\.log$/);
	},
);

withCriu('a container that lacks a volume of its processes is refused, and nothing is left', async () => {
	const volume = join(bed.folder, 'volume');
	await mkdir(volume, { recursive: true });
	const mounts = [{ host_path: volume, container_path: '/volume' }];
	const path = await saved([counter({ mounts })], ([id = '']) => countsBeyond(id, 3));
	const before = [bed.daemon.sandboxes.list().length, bed.daemon.containers.list().length];
	const failure = await failureOf(restored(path, [counter({ ...GIVEN })]));
	assert.equal(failure.condition, 'INVALID_ARGUMENT');
	assert.match(failure.message, /the processes had a mount at \/volume, and the container has none/);
	assert.deepEqual([bed.daemon.sandboxes.list().length, bed.daemon.containers.list().length], before);
	const [id = ''] = (await restored(path)).ids;
	await start(id);
	await countsBeyond(id, (await countOf(id)) + 2);
});

withCriu('what CRIU cannot restore is said with its words, and nothing is left', async () => {
	const volume = join(bed.folder, 'other-volume');
	await mkdir(volume, { recursive: true });
	const mounts = [{ host_path: volume, container_path: '/volume' }];
	const command = ['sh', '-c', 'exec 5> /volume/open; exec sleep 1000'];
	const path = await saved([counter({ mounts, command })], () =>
		until('it is open', () => existsSync(join(volume, 'open'))),
	);
	rmSync(join(volume, 'open'));
	const before = bed.daemon.sandboxes.list().length;
	const failure = await failureOf(restored(path));
	assert.equal(failure.condition, 'INTERNAL');
	assert.match(failure.message, /Cannot create container \w+: .*volume\/open.*No such file/);
	assert.equal(bed.daemon.sandboxes.list().length, before);
});
