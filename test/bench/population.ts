/** Many pods at once: memory, the cost of lists, and how soon a daemon is back with all of them. */
import type { Endpoint } from './endpoint.ts';
import type { Bench } from './part.ts';
import { endPod, type LivingPod, startPod } from './pod-life.ts';
import { proportionalKib, residentKib } from './processes.ts';
import { answers } from './wait.ts';

const START_TIMEOUT_MS = 60_000;
const WORKLOAD = 'sleep';

export async function measurePopulation(bench: Bench): Promise<void> {
	for (const endpoint of bench.endpoints) {
		await restarts(bench, endpoint, 0);
		const daemons = new Set([process.pid, ...bench.endpoints.map((each) => each.daemonPid())]);
		const before = proportionalKib(daemons, WORKLOAD);
		noteDaemon(bench, endpoint, 0);
		const pods = await startPods(bench, endpoint);
		noteDaemon(bench, endpoint, pods.length);
		const perPod = (proportionalKib(daemons, WORKLOAD) - before) / pods.length;
		const figure = { part: 'memory', name: 'outside the containers, a pod (PSS)', unit: 'KiB' } as const;
		bench.samples.add({ ...figure, better: 'less' }, endpoint.name, perPod);
		await lists(bench, endpoint, pods.length);
		await restarts(bench, endpoint, pods.length);
		for (const pod of pods) await endPod(endpoint, pod);
	}
}

async function startPods({ options, image }: Bench, endpoint: Endpoint): Promise<LivingPod[]> {
	const pods: LivingPod[] = [];
	while (pods.length < options.pods) pods.push(await startPod(endpoint, image));
	return pods;
}

function noteDaemon({ samples }: Bench, endpoint: Endpoint, pods: number): void {
	const figure = {
		part: 'memory',
		name: `daemon with ${pods} pods (RSS)`,
		unit: 'MB',
		better: 'less',
	} as const;
	samples.add(figure, endpoint.name, (residentKib(endpoint.daemonPid()) * 1024) / 1e6);
}

async function lists({ options, samples }: Bench, endpoint: Endpoint, pods: number): Promise<void> {
	const calls = {
		ListPodSandbox: () => endpoint.cri.ListPodSandbox(),
		ListContainers: () => endpoint.cri.ListContainers(),
		ListContainerStats: () => endpoint.cri.ListContainerStats(),
	};
	const [warmUps, rounds] = options.short ? [1, 3] : [5, 50];
	for (const [name, call] of Object.entries(calls)) {
		for (let round = -warmUps; round < rounds; round++) {
			const start = performance.now();
			await call();
			const ms = performance.now() - start;
			if (round < 0) continue;
			samples.add({ part: `lists of ${pods}`, name, unit: 'ms', better: 'less' }, endpoint.name, ms);
		}
	}
}

/** From the start of the process until it lists all pods. */
async function restarts({ options, samples }: Bench, endpoint: Endpoint, pods: number): Promise<void> {
	const rounds = options.short ? 1 : 5;
	for (let round = 0; round < rounds; round++) {
		await endpoint.stopDaemon();
		const start = performance.now();
		const started = endpoint.startDaemon();
		const listsAll = async (): Promise<void> =>
			answers(
				endpoint.address,
				() => true,
				START_TIMEOUT_MS,
				async (cri) => (await cri.ListPodSandbox()).items.length === pods,
			);
		await Promise.all([listsAll().then(() => note(performance.now() - start)), started]);
		await answers(endpoint.address, () => true, START_TIMEOUT_MS);
	}
	function note(ms: number): void {
		const name = pods === 0 ? 'without pods' : `with ${pods} pods`;
		samples.add({ part: 'daemon start', name, unit: 'ms', better: 'less' }, endpoint.name, ms);
	}
}
