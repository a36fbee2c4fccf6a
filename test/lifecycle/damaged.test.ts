/**
 * Files of the state folder that are damaged while no daemon runs: the daemon starts, what the file belongs to is
 * UNKNOWN or goes on without it, can be removed without a trace, and nothing else is harmed.
 */
import assert from 'node:assert/strict';
import {
	copyFileSync,
	existsSync,
	mkdirSync,
	readFileSync,
	rmSync,
	truncateSync,
	writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { until } from '../support/until.ts';
import { TestBed } from './harness.ts';

/** What befalls a file; `other` is the same file of another object. */
const DAMAGES: readonly (readonly [what: string, damage: (path: string, other: string) => void])[] = [
	['truncated', (path) => truncateSync(path, Math.floor(readFileSync(path).length / 2))],
	['empty', (path) => truncateSync(path, 0)],
	['garbage', (path) => writeFileSync(path, Buffer.from('\x00\xff\xfe{"]garbage\x7f'.repeat(20), 'latin1'))],
	['of a wrong type', (path) => writeFileSync(path, '[1,"two",null]')],
	['that of another object', (path, other) => copyFileSync(other, path)],
	[
		'a folder',
		(path) => {
			rmSync(path);
			mkdirSync(path);
			writeFileSync(join(path, 'file'), '');
		},
	],
];

interface Pod {
	readonly id: string;
	readonly container: string;
	readonly ip: string;
	readonly pids: readonly number[];
}

interface Victim {
	/** Below the folder of the state. */
	readonly file: (pod: Pod) => string;
	/** What a client sees. */
	readonly check: (bed: TestBed, pod: Pod) => Promise<void>;
	/** The container ends and its shim is killed while no daemon runs, so that only files can tell. */
	readonly ends?: true;
}

const stateOf = async (bed: TestBed, { container }: Pod) => {
	const { status } = await bed.cri.ContainerStatus({ container_id: container });
	return [status?.state, status?.reason];
};
const sandboxOf = async (bed: TestBed, { id }: Pod) => {
	const { status } = await bed.cri.PodSandboxStatus({ pod_sandbox_id: id });
	return [status?.state, status?.network?.ip];
};

async function runsOn(bed: TestBed, pod: Pod): Promise<void> {
	assert.deepEqual(await sandboxOf(bed, pod), ['SANDBOX_READY', pod.ip]);
	assert.deepEqual(await stateOf(bed, pod), ['CONTAINER_RUNNING', '']);
	assert.equal(await bed.sh(pod.container, 'echo fine'), 'fine');
}

const VICTIMS: Readonly<Record<string, Victim>> = {
	'the record of a sandbox': {
		file: ({ id }) => `sandboxes/${id}/record.json`,
		async check(bed, pod) {
			assert.equal((await sandboxOf(bed, pod))[0], 'SANDBOX_NOTREADY');
			assert.equal(bed.daemon.sandboxes.get(pod.id)?.status.reason, 'RecordUnreadable');
			assert.equal(await bed.sh(pod.container, 'echo still here'), 'still here');
		},
	},
	'the record of a container': {
		file: ({ container }) => `containers/${container}/record.json`,
		async check(bed, pod) {
			assert.deepEqual(await sandboxOf(bed, pod), ['SANDBOX_READY', pod.ip]);
			assert.deepEqual(await stateOf(bed, pod), ['CONTAINER_UNKNOWN', 'RecordUnreadable']);
			assert.ok(existsSync(`/proc/${pod.pids.at(-1)}/exe`), 'what runs is not disturbed');
		},
	},
	'the exit record of a container': {
		file: ({ container }) => `containers/${container}/exit`,
		ends: true,
		check: async (bed, pod) =>
			assert.deepEqual(await stateOf(bed, pod), ['CONTAINER_EXITED', 'ContainerStatusUnknown']),
	},
	'the spec of a container': {
		file: ({ container }) => `containers/${container}/bundle/config.json`,
		async check(bed, pod) {
			assert.deepEqual(await stateOf(bed, pod), ['CONTAINER_RUNNING', '']);
			await assert.rejects(bed.sh(pod.container, 'true'), (error: { condition?: string }) =>
				['DATA_LOSS', 'INTERNAL'].includes(error.condition ?? ''),
			);
		},
	},
	'the teardown plan of a container': {
		file: ({ container }) => `containers/${container}/bundle/teardown.json`,
		check: runsOn,
	},
	'the teardown plan of a sandbox': {
		file: ({ id }) => `sandboxes/${id}/bundle/teardown.json`,
		check: runsOn,
	},
	'the teardown plan of a container without a shim': {
		file: ({ container }) => `containers/${container}/bundle/teardown.json`,
		ends: true,
		check: async (bed, pod) => assert.deepEqual(await stateOf(bed, pod), ['CONTAINER_EXITED', 'Error']),
	},
	'the teardown plan of a sandbox without a shim': {
		file: ({ id }) => `sandboxes/${id}/bundle/teardown.json`,
		ends: true,
		check: async (bed, pod) => assert.equal((await sandboxOf(bed, pod))[0], 'SANDBOX_NOTREADY'),
	},
	'the launch plan for people': {
		file: ({ container }) => `containers/${container}/bundle/plan.txt`,
		check: runsOn,
	},
	'the note of the network': { file: ({ id }) => `sandboxes/${id}/net.json`, check: runsOn },
	'the network plan': { file: ({ id }) => `sandboxes/${id}/net-plan`, check: runsOn },
	'the network result': { file: ({ id }) => `sandboxes/${id}/net-result`, check: runsOn },
	'the plan that takes it off the network': {
		file: ({ id }) => `sandboxes/${id}/net-remove-plan`,
		check: runsOn,
	},
};

async function makePod(bed: TestBed): Promise<Pod> {
	const id = await bed.runPod();
	const command = ['sh', '-c', 'while ! test -e /tmp/go; do sleep 0.02; done; exit 9'];
	const container = await bed.run(id, { command });
	const ip = (await sandboxOf(bed, { id, container, ip: '', pids: [] }))[1] ?? '';
	const { shim, pause } = bed.daemon.sandboxes.get(id)?.status ?? assert.fail();
	const process = bed.daemon.containers.get(container)?.status.process;
	return { id, container, ip, pids: [shim?.pid ?? 0, pause?.pid ?? 0, process?.pid ?? 0] };
}

async function end(bed: TestBed, { container, pids }: Pod): Promise<void> {
	const [shim = 0, , pid = 0] = pids;
	writeFileSync(`/proc/${pid}/root/tmp/go`, '');
	const exit = join(bed.folder, 'state/containers', container, 'exit');
	await until('the exit record is there', () => existsSync(exit));
	process.kill(shim, 'SIGKILL');
	await until('the shim is gone', () => !existsSync(`/proc/${shim}/exe`));
}

for (const [what, damage] of DAMAGES)
	test(`files that are ${what} harm nothing but what they belong to, which can be removed`, async (t) => {
		await using bed = await TestBed.start(['network.provider=builtin']);
		const bystander = await makePod(bed);
		const pods = new Map<string, Pod>();
		for (const name of Object.keys(VICTIMS)) pods.set(name, await makePod(bed));
		const ended = await makePod(bed);
		await bed.crash();
		await end(bed, ended);
		const state = join(bed.folder, 'state');
		for (const [name, { file, ends }] of Object.entries(VICTIMS)) {
			const pod = pods.get(name) ?? assert.fail();
			if (ends) await end(bed, pod);
			damage(join(state, file(pod)), join(state, file(ends ? ended : bystander)));
		}
		await bed.start();
		for (const [name, { check }] of Object.entries(VICTIMS)) {
			const pod = pods.get(name) ?? assert.fail();
			await t.test(name, async () => {
				await check(bed, pod);
				await bed.cri.StopPodSandbox({ pod_sandbox_id: pod.id });
				await bed.cri.RemovePodSandbox({ pod_sandbox_id: pod.id });
				await runsOn(bed, bystander);
				for (const pid of pod.pids) assert.ok(!existsSync(`/proc/${pid}/exe`), `process ${pid} is gone`);
				const ids = [pod.id, pod.container].map((id) => id.slice(0, 20));
				assert.deepEqual(
					bed.leftObjects().filter((left) => ids.some((id) => left.includes(id))),
					[],
				);
			});
		}
		const cgroups = await bed.daemon.cgroups.find(`/${bed.instance}`, () => true);
		assert.equal(cgroups.length, 2 * 2, `those of the bystander and of the ended pod: ${cgroups}`);
	});
