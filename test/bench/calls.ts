/** Each call of a pod's life, one client, the endpoints in turn. */
import { type Bench, inTurn } from './part.ts';
import { CALLS, livePod } from './pod-life.ts';

export async function measureCalls({ options, endpoints, image, samples }: Bench): Promise<void> {
	const [warmUps, rounds] = options.short ? [1, 3] : [5, 60];
	for (let round = -warmUps; round < rounds; round++) {
		for (const endpoint of inTurn(endpoints, round + warmUps)) {
			const timings = await livePod(endpoint, image);
			if (round < 0) continue;
			for (const [name, ms] of timings)
				samples.add({ part: CALLS, name, unit: 'ms', better: 'less' }, endpoint.name, ms);
		}
	}
}
