/** What it costs to list many pods, and whether other calls wait meanwhile. */
import type { Endpoint } from './endpoint.ts';
import type { LeanOptions } from './lean-client.ts';
import { type Bench, inTurn } from './part.ts';
import { Pinger } from './pinger.ts';

type List = (endpoint: Endpoint, options?: LeanOptions) => Promise<readonly object[]>;
const LISTS: Readonly<Record<string, List>> = {
	ListPodSandbox: async ({ cri }, options) => (await cri.ListPodSandbox({}, options)).items,
	ListContainers: async ({ cri }, options) => (await cri.ListContainers({}, options)).containers,
	ListPodSandboxStats: async ({ cri }, options) => (await cri.ListPodSandboxStats({}, options)).stats,
	ListContainerStats: containerStats,
};

async function containerStats({ cri }: Endpoint, options?: LeanOptions): Promise<readonly object[]> {
	return (await cri.ListContainerStats({}, options)).stats;
}

/** `pods` live at every endpoint. */
export async function measureLists({ options, endpoints, samples }: Bench, pods: number): Promise<void> {
	const [warmUps, rounds] = options.short ? [1, 3] : [3, 25];
	const figure = { part: 'lists', unit: 'ms', better: 'less' } as const;
	for (const [name, list] of Object.entries(LISTS)) {
		for (let round = -warmUps; round < rounds; round++)
			for (const endpoint of inTurn(endpoints, round + warmUps)) {
				const ms = await timeUntilAnswered(endpoint, list, pods);
				if (round >= 0) samples.add({ ...figure, name: `${name} at ${pods}` }, endpoint.name, ms);
			}
	}
	const name = `longest wait of Version meanwhile, at ${pods}`;
	for (const endpoint of endpoints) {
		await using pinger = new Pinger(endpoint.address);
		for (let round = -warmUps; round < rounds; round++) {
			const ms = await pinger.longestDuring(() => containerStats(endpoint));
			if (round >= 0) samples.add({ ...figure, name }, endpoint.name, ms);
		}
	}
}

/** Milliseconds until the last byte has come. Throws when it is not the list of `pods` pods. */
async function timeUntilAnswered(endpoint: Endpoint, list: List, pods: number): Promise<number> {
	const start = performance.now();
	let answeredMs = Number.NaN;
	const entries = await list(endpoint, { onAnswer: () => (answeredMs = performance.now()) });
	if (entries.length !== pods)
		throw new Error(`${endpoint.name} lists ${entries.length} where ${pods} pods live`);
	return answeredMs - start;
}
