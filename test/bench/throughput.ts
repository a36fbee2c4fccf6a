/** Whole lives a second, with more and more clients. */
import type { Endpoint } from './endpoint.ts';
import { type Bench, inTurn } from './part.ts';
import { livePod, READY, type Timings } from './pod-life.ts';

const CLIENTS = [1, 4, 16];

export async function measureThroughput(bench: Bench): Promise<void> {
	const { options, endpoints, image, samples } = bench;
	const [rounds, livesPerClient] = options.short ? [1, 1] : [5, 3];
	for (const clients of CLIENTS.filter((count) => count <= options.clients)) {
		for (let round = -1; round < rounds; round++) {
			for (const endpoint of inTurn(endpoints, round + 1)) {
				const start = performance.now();
				const lives = await liveTogether(endpoint, image, clients, livesPerClient);
				const seconds = (performance.now() - start) / 1000;
				if (round < 0) continue;
				const part = 'whole lives';
				const name = `${clients} client${clients > 1 ? 's' : ''}`;
				samples.add({ part, name, unit: 'lives/s', better: 'more' }, endpoint.name, lives.length / seconds);
				for (const life of lives)
					samples.add(
						{ part, name: `${READY}, ${name}`, unit: 'ms', better: 'less' },
						endpoint.name,
						life.get(READY) ?? Number.NaN,
					);
			}
		}
	}
}

async function liveTogether(
	endpoint: Endpoint,
	image: string,
	clients: number,
	each: number,
): Promise<Timings[]> {
	const client = async (): Promise<Timings[]> => {
		const lives: Timings[] = [];
		for (let life = 0; life < each; life++) lives.push(await livePod(endpoint, image));
		return lives;
	};
	return (await Promise.all(Array.from({ length: clients }, client))).flat();
}
