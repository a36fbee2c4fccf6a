/** What runs beside the daemon dies or vanishes: the launcher, shims at any moment, the whole state folder. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StatusError } from '#base/errors.ts';
import { examine } from '../../src/cli/doctor/look.ts';
import { loadConfig } from '../../src/config/load.ts';
import { systemCgroup } from '../../src/startup/system-cgroup.ts';
import { startTestDaemon, type TestDaemon } from '../support/daemon.ts';
import { childrenOf, read } from '../support/machine.ts';
import { busyboxEntries, startRegistry } from '../support/registry.ts';
import { until } from '../support/until.ts';
import { TestBed } from './harness.ts';

/** What a call may fail with when what it needs dies under it. */
const CLEAR = new Set(['UNAVAILABLE', 'ABORTED', 'FAILED_PRECONDITION']);

const isGone = (pid: number): boolean => !existsSync(`/proc/${pid}/exe`);

function clear(error: unknown): void {
	const { condition, message } = error as StatusError;
	assert.ok(CLEAR.has(condition), `${condition}: ${message}`);
}

async function launcherOf({ cri }: TestDaemon): Promise<number> {
	const { info } = await cri.Status({ verbose: true });
	return JSON.parse(info.runtime ?? '{}').launcherPid;
}

/** Again and again until it succeeds: what a kubelet does. Every failure must be a clear one. */
async function persist<T>(call: () => Promise<T>): Promise<T> {
	for (let tries = 0; tries < 50; tries++) {
		try {
			return await call();
		} catch (error) {
			clear(error);
		}
	}
	return await call();
}

async function withImage(work: (daemon: TestDaemon, image: string) => Promise<void>): Promise<void> {
	await using registry = await startRegistry();
	const { reference } = await registry.pushImage({
		name: 'busybox',
		layers: [{ entries: busyboxEntries() }],
	});
	await using daemon = await startTestDaemon({ config: 'network.provider = "builtin"\n' });
	await daemon.cri.PullImage({ image: { image: reference } });
	await work(daemon, reference);
}

async function makePod({ cri }: TestDaemon, image: string, name: string): Promise<string> {
	const metadata = { name, namespace: 'tests', uid: name, attempt: 0 };
	const ports = [{ container_port: 80, host_port: 20000 + Number(name.replace(/\D/g, '')) }];
	const { pod_sandbox_id } = await persist(() =>
		cri.RunPodSandbox({ config: { metadata, port_mappings: ports } }),
	);
	const config = { metadata: { name: 'main', attempt: 0 }, image: { image }, command: ['sleep', '1000'] };
	const { container_id } = await persist(() => cri.CreateContainer({ pod_sandbox_id, config }));
	await cri.StartContainer({ container_id });
	const { exit_code } = await cri.ExecSync({ container_id, cmd: ['true'], timeout: 20 });
	assert.equal(exit_code, 0);
	return pod_sandbox_id;
}

test('a launcher that dies at rest is started again, and nothing that runs notices', () =>
	withImage(async (daemon, image) => {
		const pod = await makePod(daemon, image, 'pod-1');
		const before = await launcherOf(daemon);
		process.kill(before, 'SIGKILL');
		await daemon.process.line(/The launcher runs again/);
		assert.notEqual(await launcherOf(daemon), before);
		const { status } = await daemon.cri.PodSandboxStatus({ pod_sandbox_id: pod });
		assert.equal(status?.state, 'SANDBOX_READY');
		await makePod(daemon, image, 'pod-2');
	}));

test('a launcher that is killed while clients make pods: calls succeed or fail clearly, and a retry succeeds', () =>
	withImage(async (daemon, image) => {
		const clients = Array.from({ length: 6 }, async (_, client) => {
			for (let pod = 0; pod < 4; pod++) {
				const id = await makePod(daemon, image, `pod-${client}${pod}`);
				await persist(() => daemon.cri.RemovePodSandbox({ pod_sandbox_id: id }));
			}
		});
		let working = true;
		const all = Promise.all(clients).finally(() => {
			working = false;
		});
		for (let kills = 0; working && kills < 5; kills++) {
			const pid = await launcherOf(daemon);
			if (pid !== 0) process.kill(pid, 'SIGKILL');
			await until('there is a new launcher', async () => ![0, pid].includes(await launcherOf(daemon)));
		}
		await all;
		const { items } = await daemon.cri.ListPodSandbox();
		assert.deepEqual(items, []);
		for (const folder of ['state/sandboxes', 'state/containers', 'state/shims', 'root/sandboxes'])
			assert.deepEqual(readdirSync(join(daemon.folder, folder)), [], folder);
		const layers = () => readdirSync(join(daemon.folder, 'root/containers'));
		await until('what containers wrote is gone', async () => layers().length === 0);
	}));

/** Calls under which a shim is killed; each works on a container of its own. */
const CALLS: Readonly<Record<string, (bed: TestBed, pod: string) => Promise<() => Promise<unknown>>>> = {
	CreateContainer: async (bed, pod) => () => bed.create(pod),
	StartContainer: async (bed, pod) => {
		const id = await bed.create(pod);
		return () => bed.cri.StartContainer({ container_id: id });
	},
	ExecSync: async (bed, pod) => {
		const id = await bed.run(pod);
		return () => bed.cri.ExecSync({ container_id: id, cmd: ['sleep', '100'], timeout: 60 });
	},
	StopContainer: async (bed, pod) => {
		const command = ['sh', '-c', 'trap "" TERM; while true; do sleep 1; done'];
		const id = await bed.run(pod, { command });
		return () => bed.cri.StopContainer({ container_id: id, timeout: 60 });
	},
	StopPodSandbox: async (bed, pod) => {
		await bed.run(pod);
		return () => bed.cri.StopPodSandbox({ pod_sandbox_id: pod });
	},
};

for (const [name, prepare] of Object.entries(CALLS))
	for (const delayMs of [0, 2, 20])
		test(`a shim that is killed ${delayMs} ms into ${name}: a clear failure or success, and its pod goes`, async () => {
			await using bed = await TestBed.start(['network.provider=builtin']);
			const [pod, neighbour] = [await bed.runPod(), await bed.runPod()];
			const inside = await bed.run(pod);
			const untouched = await bed.run(neighbour);
			const call = await prepare(bed, pod);
			const { shim, pause } = bed.daemon.sandboxes.get(pod)?.status ?? assert.fail();
			const pid = bed.daemon.containers.get(inside)?.status.process?.pid ?? 0;
			const calling = call().catch(clear);
			await sleep(delayMs);
			process.kill(shim?.pid ?? 0, 'SIGKILL');
			await calling;
			await until('the sandbox is not ready', async () => {
				const { status } = await bed.cri.PodSandboxStatus({ pod_sandbox_id: pod });
				return status?.state === 'SANDBOX_NOTREADY';
			});
			await bed.cri.StopPodSandbox({ pod_sandbox_id: pod });
			await bed.cri.RemovePodSandbox({ pod_sandbox_id: pod });
			for (const each of [pid, pause?.pid ?? 0]) assert.ok(isGone(each), `process ${each}`);
			assert.equal(await bed.sh(untouched, 'echo fine'), 'fine');
			await bed.cri.RemovePodSandbox({ pod_sandbox_id: neighbour });
			assert.deepEqual(bed.leftObjects(), []);
		});

test('a sandbox whose shim was killed says why it is not ready, and an event tells of it', async () => {
	await using bed = await TestBed.start();
	const pod = await bed.runPod();
	process.kill(bed.daemon.sandboxes.get(pod)?.status.shim?.pid ?? 0, 'SIGKILL');
	await until('the event came', () =>
		bed.events.some(({ type, containerId }) => type === 'CONTAINER_STOPPED_EVENT' && containerId === pod),
	);
	const { info } = await bed.cri.PodSandboxStatus({ pod_sandbox_id: pod, verbose: true });
	assert.match(info.info ?? '', /ShimLost/);
});

test("who still has to end in the instance's cgroup is waited for when no pod is left", async () => {
	// Its disposal asserts that the cgroup is gone.
	await using bed = await TestBed.start();
	const { cgroups, config } = bed.daemon;
	const child = spawn('sleep', ['0.5'], { stdio: 'ignore' });
	for (const folder of cgroups.folders(systemCgroup(config)))
		writeFileSync(join(folder, 'cgroup.procs'), String(child.pid));
});

/** What is left when the state folder is gone. */
const VANISHINGS: Readonly<Record<string, (daemon: TestDaemon, pids: readonly number[]) => Promise<void>>> = {
	'with everything that ran, as in a reboot': async (_daemon, pids) => {
		for (const pid of pids) if (!isGone(pid)) process.kill(pid, 'SIGKILL');
		await until('all processes are gone', () => pids.every(isGone));
	},
	'while shims and containers live on': async () => {},
};

for (const [what, vanish] of Object.entries(VANISHINGS))
	test(`the state folder vanishes ${what}: nothing of the old is left, addresses and ports are free`, () =>
		withImage(async (daemon, image) => {
			for (const name of ['pod-1', 'pod-2']) await makePod(daemon, image, name);
			const { items } = await daemon.cri.ListPodSandbox();
			// Without the network, which is chosen anew: others of the machine may have taken that of before.
			const ipOf = async (id: string) =>
				(await daemon.cri.PodSandboxStatus({ pod_sandbox_id: id })).status?.network?.ip.replace(
					/^\d+\.\d+\./,
					'',
				);
			const ips = new Set(await Promise.all(items.map(({ id }) => ipOf(id))));
			const pids = shimsAndChildren(daemon.instance);
			assert.ok(pids.length >= 6, 'two shims with two processes each');
			await daemon.stop('SIGKILL');
			await vanish(daemon, pids);
			rmSync(join(daemon.folder, 'state'), { recursive: true });
			await daemon.start();
			assert.deepEqual((await daemon.cri.ListPodSandbox()).items, []);
			assert.deepEqual((await daemon.cri.ListContainers()).containers, []);
			await until('what ran is gone', () => pids.every(isGone));
			const { findings } = await doctor(daemon);
			assert.deepEqual(findings, []);
			for (const folder of ['containers', 'sandboxes', 'images/leases'])
				assert.deepEqual(readdirSync(join(daemon.folder, 'root', folder)), [], folder);
			assert.equal((await daemon.cri.ListImages()).images.length, 1, 'images are kept');
			for (const name of ['pod-1', 'pod-2']) await makePod(daemon, image, name);
			const again = (await daemon.cri.ListPodSandbox()).items;
			assert.deepEqual(new Set(await Promise.all(again.map(({ id }) => ipOf(id)))), ips);
		}));

function shimsAndChildren(instance: string): number[] {
	const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
	const shims = pids.map(Number).filter((pid) => {
		const words = read(`/proc/${pid}/cmdline`).split('\0');
		return words[1] === 'shim' && words.includes(instance);
	});
	return [...shims, ...shims.flatMap(childrenOf)];
}

async function doctor({ folder, instance }: TestDaemon): ReturnType<typeof examine> {
	const { config } = loadConfig({
		config: join(folder, 'gantry.toml'),
		listen: `unix://${join(folder, 'cri.sock')}`,
		root: join(folder, 'root'),
		state: join(folder, 'state'),
		set: [`instance=${instance}`],
	});
	return await examine({ config, daemonRuns: true, fix: false });
}
