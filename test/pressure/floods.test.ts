/**
 * Containers that take what they can: fork bombs and a gigabyte of log. Other pods live on meanwhile, the memory of
 * daemon and shim stays bounded, and the container that did it can be stopped and removed.
 */
import assert from 'node:assert/strict';
import {
	createReadStream,
	existsSync,
	readFileSync,
	renameSync,
	rmSync,
	statSync,
	writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startTestDaemon, type TestDaemon } from '../support/daemon.ts';
import { busyboxEntries, type Registry, startRegistry } from '../support/registry.ts';
import { until } from '../support/until.ts';

/** init only sleeps: what is in the background may die of its own doing. */
const BOMB = 'b() { b | b & }; b & exec sleep 1000';
/** A few hundred processes, and some that never stop to fork. Nothing else bounds them. */
const CROWD = [
	'i=0; while [ $i -lt 200 ]; do sleep 1000 & i=$((i+1)); done',
	'i=0; while [ $i -lt 20 ]; do (while :; do (:) & wait; done) & i=$((i+1)); done',
	'touch /crowd; exec sleep 1000',
].join('; ');
const PIDS = 100;
const LINES = 1_000_000;
const LINE = 'x'.repeat(999);
const ROTATE_BYTES = 100e6;

describe('containers that flood the machine', () => {
	let registry: Registry;
	let image: string;
	let daemon: TestDaemon;
	let names = 0;

	before(async () => {
		registry = await startRegistry();
		const layers = [{ entries: busyboxEntries() }];
		const pushed = await registry.pushImage({
			name: 'floods/busybox',
			layers,
			config: { Env: ['PATH=/bin'] },
		});
		image = pushed.reference;
		daemon = await startTestDaemon({ config: 'network.provider = "builtin"\n' });
		await daemon.cri.PullImage({ image: { image } });
	});
	after(async () => {
		try {
			await daemon[Symbol.asyncDispose]();
		} finally {
			await registry[Symbol.asyncDispose]();
		}
	});

	async function startPod(cgroup_parent = ''): Promise<string> {
		const name = `pod-${names++}`;
		const metadata = { name, namespace: 'floods', uid: name, attempt: 0 };
		const config = { metadata, log_directory: join(daemon.folder, 'logs', name), linux: { cgroup_parent } };
		return (await daemon.cri.RunPodSandbox({ config })).pod_sandbox_id;
	}
	async function start(pod_sandbox_id: string, script: string): Promise<string> {
		const { container_id } = await daemon.cri.CreateContainer({
			pod_sandbox_id,
			config: {
				metadata: { name: `c${names++}`, attempt: 0 },
				image: { image },
				command: ['sh', '-c', script],
				log_path: 'main.log',
				linux: { security_context: { namespace_options: { pid: 'CONTAINER' } } },
			},
		});
		await daemon.cri.StartContainer({ container_id });
		return container_id;
	}
	/** The whole life of another pod. */
	async function liveBeside(): Promise<void> {
		const pod_sandbox_id = await startPod();
		const container_id = await start(pod_sandbox_id, 'exec sleep 1000');
		const { exit_code } = await daemon.cri.ExecSync({ container_id, cmd: ['true'], timeout: 30n });
		assert.equal(exit_code, 0);
		await daemon.cri.ListContainerStats();
		await daemon.cri.StopPodSandbox({ pod_sandbox_id });
		await daemon.cri.RemovePodSandbox({ pod_sandbox_id });
	}
	async function processesOf(pod_sandbox_id: string): Promise<number> {
		const { stats } = await daemon.cri.PodSandboxStats({ pod_sandbox_id });
		return Number(stats?.linux?.process?.process_count?.value ?? 0);
	}

	it('a fork bomb below a limit of processes: others live on, and it is stopped and removed', async () => {
		// The daemon makes the parent, and takes it away again.
		const parent = `/${daemon.instance}/limited`;
		const pod = await startPod(parent);
		const root = existsSync('/sys/fs/cgroup/pids') ? '/sys/fs/cgroup/pids' : '/sys/fs/cgroup';
		const folder = join(root, parent);
		writeFileSync(join(folder, 'pids.max'), String(PIDS));
		const bomb = await start(pod, BOMB);
		await until(
			'the bomb has gone off',
			() => Number(readFileSync(join(folder, 'pids.current'), 'utf8')) >= 0.9 * PIDS,
		);
		await liveBeside();
		await daemon.cri.StopContainer({ container_id: bomb, timeout: 1n });
		await daemon.cri.RemovePodSandbox({ pod_sandbox_id: pod });
		assert.ok(!existsSync(folder));
	});

	for (const call of ['StopContainer', 'RemoveContainer', 'RemovePodSandbox'] as const) {
		it(`processes without a limit that fork all the time: others live on, and ${call} ends them`, async () => {
			const pod = await startPod();
			const id = await start(pod, CROWD);
			await until('there is a crowd', async () => (await processesOf(pod)) > 200);
			await liveBeside();
			if (call === 'StopContainer') await daemon.cri.StopContainer({ container_id: id, timeout: 0n });
			if (call === 'RemoveContainer') await daemon.cri.RemoveContainer({ container_id: id });
			await daemon.cri.RemovePodSandbox({ pod_sandbox_id: pod });
		});
	}

	it('a gigabyte of log, rotated meanwhile: no line is lost, memory stays bounded, others live on', async () => {
		const pod = await startPod();
		const id = await start(pod, `yes ${LINE} | head -n ${LINES}`);
		const path = (await daemon.cri.ContainerStatus({ container_id: id })).status?.log_path ?? '';
		const pid = processOfShim(daemon.instance, pod);
		let lines = 0;
		let rotations = 0;
		let most = 0;
		for (let state = ''; state !== 'CONTAINER_EXITED'; ) {
			await sleep(50);
			most = Math.max(most, memoryMb(pid, 'VmRSS'));
			state = (await daemon.cri.ContainerStatus({ container_id: id })).status?.state ?? '';
			if (state === 'CONTAINER_EXITED' || statSync(path).size < ROTATE_BYTES) continue;
			renameSync(path, `${path}.1`);
			// The end may come between the look and the call.
			await daemon.cri.ReopenContainerLog({ container_id: id }).catch(() => {});
			if (rotations++ === 0) await liveBeside();
			lines += await countLines(`${path}.1`);
			rmSync(`${path}.1`);
		}
		if (existsSync(path)) lines += await countLines(path);
		assert.equal(lines, LINES);
		assert.ok(rotations > 1, `rotated ${rotations} times`);
		assert.ok(most < 32, `the shim took ${most} MB`);
		const { info } = await daemon.cri.Status({ verbose: true });
		const runtime = JSON.parse(info.runtime ?? '{}') as { pid: number };
		assert.ok(memoryMb(runtime.pid, 'VmHWM') < 400, 'the daemon reads no log');
		await daemon.cri.RemovePodSandbox({ pod_sandbox_id: pod });
	});
});

function processOfShim(instance: string, sandbox: string): number {
	const procs = ['/sys/fs/cgroup/pids', '/sys/fs/cgroup']
		.map((root) => join(root, `${instance}-system/cgroup.procs`))
		.find(existsSync);
	const pids = readFileSync(procs ?? assert.fail('the shims have no cgroup'), 'utf8')
		.trim()
		.split('\n');
	const pid = pids.find((each) => readFileSync(`/proc/${each}/cmdline`, 'utf8').includes(sandbox));
	return Number(pid ?? assert.fail(`no shim of ${sandbox}`));
}

function memoryMb(pid: number, field: 'VmRSS' | 'VmHWM'): number {
	const kib = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(
		readFileSync(`/proc/${pid}/status`, 'utf8'),
	)?.[1];
	return Number(kib) / 1024;
}

async function countLines(path: string): Promise<number> {
	let lines = 0;
	for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>)
		for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) lines++;
	return lines;
}
