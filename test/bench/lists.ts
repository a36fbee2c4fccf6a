/** What it costs to list many pods, and whether other calls wait meanwhile. */
import type { Endpoint } from './endpoint.ts';
import { type Bench, inTurn } from './part.ts';
import { Pinger } from './pinger.ts';

const LISTS = {
	ListPodSandbox: ({ cri }: Endpoint) => cri.ListPodSandbox(),
	ListContainers: ({ cri }: Endpoint) => cri.ListContainers(),
	ListPodSandboxStats: ({ cri }: Endpoint) => cri.ListPodSandboxStats(),
	ListContainerStats: ({ cri }: Endpoint) => cri.ListContainerStats(),
};

/** `pods` live at every endpoint. */
export async function measureLists({ options, endpoints, samples }: Bench, pods: number): Promise<void> {
	const [warmUps, rounds] = options.short ? [1, 3] : [3, 25];
	const figure = { part: 'lists', unit: 'ms', better: 'less' } as const;
	for (const [name, list] of Object.entries(LISTS)) {
		for (let round = -warmUps; round < rounds; round++)
			for (const endpoint of inTurn(endpoints, round + warmUps)) {
				const start = performance.now();
				await list(endpoint);
				const ms = performance.now() - start;
				if (round >= 0) samples.add({ ...figure, name: `${name} at ${pods}` }, endpoint.name, ms);
			}
	}
	const name = `longest wait of Version meanwhile, at ${pods}`;
	for (const endpoint of endpoints) {
		await using pinger = new Pinger(endpoint.address);
		for (let round = -warmUps; round < rounds; round++) {
			const ms = await pinger.longestDuring(() => LISTS.ListContainerStats(endpoint));
			if (round >= 0) samples.add({ ...figure, name }, endpoint.name, ms);
		}
	}
}
