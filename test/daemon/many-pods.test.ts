import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { connectCri } from '../support/cri-client.ts';
import { startTestDaemon, type TestDaemon } from '../support/daemon.ts';
import { busyboxEntries, type Registry, startRegistry } from '../support/registry.ts';
import { until } from '../support/until.ts';

const PODS = 100;
const CLIENTS = 4;

/** A daemon that is killed with many pods. How long the start takes is `npm run bench`'s matter. */
describe(`a daemon with ${PODS} pods that is killed`, () => {
	let registry: Registry;
	let daemon: TestDaemon;
	let image = '';

	before(async () => {
		registry = await startRegistry();
		image = (await registry.pushImage({ name: 'busybox', layers: [{ entries: busyboxEntries() }] }))
			.reference;
		daemon = await startTestDaemon({ config: 'network.provider = "builtin"\n' });
		await daemon.cri.PullImage({ image: { image } });
		let next = 0;
		const client = async (): Promise<void> => {
			while (next < PODS) await makePod(`pod-${next++}`);
		};
		await Promise.all(Array.from({ length: CLIENTS }, client));
	});
	after(async () => {
		await daemon[Symbol.asyncDispose]();
		await registry.stop();
	});

	async function makePod(name: string): Promise<void> {
		const { cri } = daemon;
		const metadata = { name, namespace: 'tests', uid: name, attempt: 0 };
		const { pod_sandbox_id } = await cri.RunPodSandbox({ config: { metadata } });
		const config = { metadata: { name: 'main', attempt: 0 }, image: { image }, command: ['sleep', '100000'] };
		const { container_id } = await cri.CreateContainer({ pod_sandbox_id, config });
		await cri.StartContainer({ container_id });
	}

	/** Asks until somebody answers. */
	async function firstAnswer<T>(ask: (cri: TestDaemon['cri']) => Promise<T>): Promise<T> {
		for (;;) {
			const cri = connectCri(daemon.address);
			try {
				return await ask(cri);
			} catch (error) {
				assert.equal((error as { condition?: string }).condition, 'UNAVAILABLE');
				await new Promise((resolve) => setTimeout(resolve, 5));
			} finally {
				cri.client.close();
			}
		}
	}

	it('lists every one of them with its first answer, and a call made meanwhile succeeds', async () => {
		const [gone] = (await daemon.cri.ListContainers()).containers;
		const { info } = await daemon.cri.ContainerStatus({ container_id: gone?.id ?? '', verbose: true });
		await daemon.stop('SIGKILL');
		process.kill(JSON.parse(info.info ?? '{}').pid, 'SIGKILL');
		const starting = daemon.start();
		const { items } = await firstAnswer((cri) => cri.ListPodSandbox());
		const making = makePod('meanwhile');
		const { containers } = await firstAnswer((cri) => cri.ListContainers());
		assert.deepEqual(
			[items.length, items.filter(({ state }) => state === 'SANDBOX_READY').length],
			[PODS, PODS],
		);
		const old = containers.filter(
			({ metadata, pod_sandbox_id }) =>
				items.some(({ id }) => id === pod_sandbox_id) && metadata?.name === 'main',
		);
		assert.equal(old.length, PODS);
		const ended = old
			.filter(({ state }) => state !== 'CONTAINER_RUNNING')
			.map(({ id, state }) => [id, state]);
		assert.deepEqual(ended, [[gone?.id, 'CONTAINER_EXITED']], 'what ended meanwhile is not shown as running');
		await Promise.all([making, starting]);
	});

	it('waits for a shim that does not answer with nothing but what needs it', async () => {
		const [frozen, other] = (await daemon.cri.ListPodSandbox()).items;
		const { info } = await daemon.cri.PodSandboxStatus({ pod_sandbox_id: frozen?.id ?? '', verbose: true });
		const shim = parentOf(JSON.parse(info.info ?? '{}').pid);
		await daemon.stop('SIGKILL');
		process.kill(shim, 'SIGSTOP');
		try {
			await daemon.start();
			assert.equal((await daemon.cri.ListPodSandbox()).items.length, PODS + 1);
			await daemon.cri.RemovePodSandbox({ pod_sandbox_id: other?.id ?? '' });
		} finally {
			process.kill(shim, 'SIGCONT');
		}
		const { containers } = await daemon.cri.ListContainers({ filter: { pod_sandbox_id: frozen?.id ?? '' } });
		const exec = { container_id: containers[0]?.id ?? '', cmd: ['true'], timeout: 20 };
		await until(
			'it is taken over once it answers',
			async () => (await daemon.cri.ExecSync(exec).catch(() => undefined))?.exit_code === 0,
		);
	});
});

function parentOf(pid: number): number {
	return Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
}
