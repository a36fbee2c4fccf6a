/** Many pods at once: memory, the cost of lists, and how soon a daemon is back with all of them. */
import type { Endpoint } from './endpoint.ts';
import { measureLists } from './lists.ts';
import { type Bench, inTurn } from './part.ts';
import { endPod, type LivingPod, startPod } from './pod-life.ts';
import { proportionalKib, residentKib } from './processes.ts';
import { together } from './together.ts';
import { answers } from './wait.ts';

const SIZES = [10, 100, 300];
const MOST_AT_RESTART = 100;
const CLIENTS = 4;
const START_TIMEOUT_MS = 60_000;
const WORKLOAD = 'sleep';

interface Population {
	readonly endpoint: Endpoint;
	readonly pods: LivingPod[];
}

export async function measurePopulation(bench: Bench): Promise<void> {
	const populations = bench.endpoints.map((endpoint): Population => ({ endpoint, pods: [] }));
	const sizes = [...SIZES.filter((size) => size < bench.options.pods), bench.options.pods];
	const restartSize = sizes.findLast((size) => size <= MOST_AT_RESTART);
	await restarts(bench, 0);
	for (const population of populations) noteDaemon(bench, population);
	for (const size of sizes) {
		for (const population of populations) await grow(bench, population, size);
		await measureLists(bench, size);
		if (size === restartSize) await restarts(bench, size);
	}
	for (const { endpoint, pods } of populations)
		await together(CLIENTS, async () => {
			for (let pod = pods.pop(); pod !== undefined; pod = pods.pop()) await endPod(endpoint, pod);
		});
}

async function grow(bench: Bench, population: Population, size: number): Promise<void> {
	const { endpoint, pods } = population;
	const added = size - pods.length;
	const daemons = new Set([process.pid, ...bench.endpoints.map((each) => each.daemonPid())]);
	const before = proportionalKib(daemons, WORKLOAD);
	let left = added;
	await together(CLIENTS, async () => {
		while (left-- > 0) pods.push(await startPod(endpoint, bench.image));
	});
	noteDaemon(bench, population);
	const perPod = (proportionalKib(daemons, WORKLOAD) - before) / added;
	const figure = { part: 'memory', name: 'outside the containers, a pod (PSS)', unit: 'KiB' } as const;
	bench.samples.add({ ...figure, better: 'less' }, endpoint.name, perPod);
}

function noteDaemon({ samples }: Bench, { endpoint, pods }: Population): void {
	const figure = { part: 'memory', unit: 'MB', better: 'less' } as const;
	const name = `daemon with ${pods.length} pods (RSS)`;
	samples.add({ ...figure, name }, endpoint.name, (residentKib(endpoint.daemonPid()) * 1024) / 1e6);
}

/** From the start of the process until it is ready, the network too, and lists all pods. */
async function restarts({ options, endpoints, samples }: Bench, pods: number): Promise<void> {
	const rounds = options.short ? 1 : 5;
	const name = pods === 0 ? 'without pods' : `with ${pods} pods`;
	for (let round = 0; round < rounds; round++)
		for (const endpoint of inTurn(endpoints, round)) {
			const ms = await restart(endpoint, pods);
			samples.add({ part: 'daemon start', name, unit: 'ms', better: 'less' }, endpoint.name, ms);
		}
}

async function restart(endpoint: Endpoint, pods: number): Promise<number> {
	await endpoint.stopDaemon();
	const start = performance.now();
	const started = endpoint.startDaemon();
	const ready = answers(
		endpoint.address,
		() => true,
		START_TIMEOUT_MS,
		async (cri) => {
			const { items } = await cri.ListPodSandbox();
			const { status } = await cri.Status();
			return items.length === pods && (status?.conditions.every((condition) => condition.status) ?? false);
		},
	).then(() => performance.now() - start);
	const [ms] = await Promise.all([ready, started]);
	return ms;
}
