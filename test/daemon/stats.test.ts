import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { ContainerState, ContainerStats } from '#cri-api';
import { startTestDaemon, type TestDaemon } from '../support/daemon.ts';
import { busyboxEntries, startRegistry } from '../support/registry.ts';

const MIB = 1024 * 1024;

describe('what containers use', () => {
	let daemon: TestDaemon;
	let registry: Awaited<ReturnType<typeof startRegistry>>;
	let image = '';
	let pod = '';
	const config = {
		metadata: { name: 'busy', namespace: 'default', uid: 'uid-1', attempt: 0 },
		linux: { cgroup_parent: '' },
	};

	before(async () => {
		registry = await startRegistry();
		const pushed = await registry.pushImage({
			name: 'stats/busybox',
			tag: '1',
			layers: [{ entries: busyboxEntries() }],
			config: { Cmd: ['sh'], Env: ['PATH=/bin'] },
		});
		image = pushed.reference;
		daemon = await startTestDaemon({
			config: 'network.provider = "builtin"\nmetrics.address = "127.0.0.1:0"\n',
		});
		await daemon.cri.PullImage({ image: { image } });
		pod = (await daemon.cri.RunPodSandbox({ config })).pod_sandbox_id;
	});
	after(async () => {
		await daemon[Symbol.asyncDispose]();
		await registry[Symbol.asyncDispose]();
	});

	async function run(name: string, script: string, memoryLimit = 64 * MIB): Promise<string> {
		const { container_id } = await daemon.cri.CreateContainer({
			pod_sandbox_id: pod,
			sandbox_config: config,
			config: {
				metadata: { name, attempt: 0 },
				image: { image },
				command: ['sh', '-c', script],
				labels: { name },
				linux: { resources: { memory_limit_in_bytes: memoryLimit } },
			},
		});
		await daemon.cri.StartContainer({ container_id });
		return container_id;
	}
	async function reaches(container_id: string, state: ContainerState): Promise<string> {
		for (;;) {
			const { status } = await daemon.cri.ContainerStatus({ container_id });
			if (status?.state === state) return status.reason;
			await new Promise((resolve) => setTimeout(resolve, 10));
		}
	}
	const statsOf = async (container_id: string): Promise<ContainerStats> =>
		(await daemon.cri.ContainerStats({ container_id })).stats ?? assert.fail('no stats');

	it('a running container: memory against its limit, CPU, and what it wrote', async () => {
		const id = await run(
			'writer',
			'dd if=/dev/zero of=/blob bs=1M count=3 2>/dev/null; echo done > /ready; sleep 1000',
		);
		await daemon.cri.ExecSync({
			container_id: id,
			cmd: ['sh', '-c', 'while ! [ -e /ready ]; do sleep 0.02; done'],
			timeout: '30',
		});
		const stats = await statsOf(id);
		assert.equal(stats.attributes?.metadata?.name, 'writer');
		const available = Number(stats.memory?.available_bytes?.value);
		assert.equal(available, 64 * MIB - Number(stats.memory?.working_set_bytes?.value));
		assert.ok(BigInt(stats.cpu?.usage_core_nano_seconds?.value ?? '0') > 0n);
		assert.notEqual(stats.cpu?.usage_nano_cores, null);
		assert.ok(Number(stats.writable_layer?.used_bytes?.value) >= 3 * MIB);
		assert.ok(Number(stats.writable_layer?.inodes_used?.value) >= 2);
		assert.match(stats.writable_layer?.fs_id?.mountpoint ?? '', new RegExp(`^${daemon.folder}/root/`));
	});

	it('a container that has ended: only what it wrote, which still takes room', async () => {
		const id = await run('ended', 'dd if=/dev/zero of=/blob bs=1M count=2 2>/dev/null');
		assert.equal(await reaches(id, 'CONTAINER_EXITED'), 'Completed');
		const stats = await statsOf(id);
		assert.equal(stats.cpu, null);
		assert.equal(stats.memory, null);
		assert.ok(Number(stats.writable_layer?.used_bytes?.value) >= 2 * MIB);
	});

	it('ImageFsInfo counts what du counts; of images all but the folders and small files around the layers', async () => {
		const { image_filesystems, container_filesystems } = await daemon.cri.ImageFsInfo();
		const du = (folder: string, option: string): number =>
			Number.parseInt(
				execFileSync('du', ['-s', option, join(daemon.folder, 'root', folder)], { encoding: 'utf8' }),
				10,
			);
		const [written] = container_filesystems;
		assert.equal(Number(written?.used_bytes?.value), du('containers', '-B1'));
		assert.equal(Number(written?.inodes_used?.value), du('containers', '--inodes'));
		const told = Number(image_filesystems[0]?.used_bytes?.value);
		const counted = du('images', '-B1');
		assert.ok(told <= counted && told > counted - 100_000, `${told} of ${counted}`);
	});

	it('lists by id, sandbox and labels', async () => {
		const namesFor = async (filter: { pod_sandbox_id?: string; label_selector?: Record<string, string> }) =>
			(await daemon.cri.ListContainerStats({ filter })).stats
				.map(({ attributes }) => attributes?.metadata?.name)
				.sort();
		assert.deepEqual(await namesFor({}), ['ended', 'writer']);
		assert.deepEqual(await namesFor({ pod_sandbox_id: pod.slice(0, 13) }), ['ended', 'writer']);
		assert.deepEqual(await namesFor({ pod_sandbox_id: '0000000000' }), []);
		assert.deepEqual(await namesFor({ label_selector: { name: 'ended' } }), ['ended']);
	});

	it('a list while containers come and go has no error, only those that are there', async () => {
		let going = true;
		const lists = (async () => {
			while (going) {
				const [one, two] = await Promise.all([
					daemon.cri.ListContainerStats(),
					daemon.cri.ListPodSandboxStats(),
				]);
				assert.ok(one.stats.length >= 2);
				assert.equal(two.stats.length, 1);
			}
		})();
		for (let round = 0; round < 5; round++) {
			const container_id = await run(`brief-${round}`, 'exit 0');
			await daemon.cri.RemoveContainer({ container_id });
		}
		going = false;
		await lists;
	});

	it('a pod: the sum of its processes, its containers within', async () => {
		const { stats } = await daemon.cri.PodSandboxStats({ pod_sandbox_id: pod });
		assert.deepEqual(stats?.linux?.containers.map(({ attributes }) => attributes?.metadata?.name).sort(), [
			'ended',
			'writer',
		]);
		const writer = stats?.linux?.containers.find(({ attributes }) => attributes?.metadata?.name === 'writer');
		const inContainer = Number(writer?.memory?.usage_bytes?.value);
		assert.ok(Number(stats?.linux?.memory?.usage_bytes?.value) > inContainer * 0.5);
		assert.ok(Number(stats?.linux?.process?.process_count?.value) >= 2);
	});

	it('counts the containers that the kernel killed for lack of memory', async () => {
		const id = await run('greedy', 'exec tail /dev/zero', 16 * MIB);
		assert.equal(await reaches(id, 'CONTAINER_EXITED'), 'OOMKilled');
		const { address } = await daemon.process.line(/Serving \/metrics/);
		const text = await (await fetch(`http://${address}/metrics`)).text();
		assert.match(text, /^gantry_oom_kills_total 1$/m);
		assert.match(text, /^gantry_containers\{state="exited"\} 2$/m);
		assert.match(text, /^gantry_image_pulls_total\{result="ok"\} 1$/m);
	});
});
