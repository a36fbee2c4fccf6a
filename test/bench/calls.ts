/** Each call of a pod's life, one client, the endpoints in turn. */
import { type Bench, inTurn } from './part.ts';
import { CALLS, livePod, READY } from './pod-life.ts';

/** The first of the warm-ups. They are told apart: a daemon that has just started is slower. */
const FIRST = 5;

export async function measureCalls({ options, endpoints, image, samples }: Bench): Promise<void> {
	const [warmUps, rounds] = options.short ? [1, 3] : [60, 60];
	const figure = { unit: 'ms', better: 'less' } as const;
	for (let round = -warmUps; round < rounds; round++) {
		for (const endpoint of inTurn(endpoints, round + warmUps)) {
			const timings = await livePod(endpoint, image);
			if (round < FIRST - warmUps) {
				const name = `${READY}, the first ${FIRST} after the start`;
				samples.add({ ...figure, part: 'warm-ups', name }, endpoint.name, timings.get(READY) ?? Number.NaN);
			}
			if (round < 0) continue;
			for (const [name, ms] of timings) samples.add({ ...figure, part: CALLS, name }, endpoint.name, ms);
		}
	}
}
