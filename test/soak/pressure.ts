/** How long other pods' calls take while one container floods its log, or forks without end. */
import type { Endpoint } from '../bench/endpoint.ts';
import { summarize } from '../bench/figures.ts';
import { endPod, livePod, startPod } from '../bench/pod-life.ts';
import { align, show } from '../bench/table.ts';
import type { TestCri } from '../support/cri-client.ts';
import { CallTimes, timed } from './calls.ts';

const LIVES = 100;
/** Other pods' calls are to keep their p99 within this many times the idle one. */
const MOST_TIMES = 10;
const FLOOD = `yes ${'x'.repeat(999)} | head -n 1000000; exec sleep 1000`;
const FORKS =
	'i=0; while [ $i -lt 20 ]; do (while :; do (:) & wait; done) & i=$((i+1)); done; exec sleep 1000';

/** A table of p99 by call: idle, and under each kind of pressure. */
export async function underPressure(endpoint: Endpoint, plain: TestCri, image: string): Promise<string> {
	const idle = await lives(endpoint, plain, image);
	const columns = [idle];
	for (const script of [FLOOD, FORKS]) {
		const guilty = await startPod(endpoint, image, undefined, ['sh', '-c', script]);
		columns.push(await lives(endpoint, plain, image));
		await endPod(endpoint, guilty);
	}
	const rows = [...idle].map(([name, calm]) => {
		const [, flood = Number.NaN, forks = Number.NaN] = columns.map((column) => column.get(name));
		const most = Math.max(flood, forks) / calm;
		return [name, show(calm), show(flood), show(forks), show(most), most > MOST_TIMES ? 'SLOW' : ''];
	});
	return align([['p99 (ms)', 'idle', '1 GB of log', 'forks', 'times', ''], ...rows]);
}

async function lives(endpoint: Endpoint, plain: TestCri, image: string): Promise<Map<string, number>> {
	const times = new CallTimes();
	const watched = { ...endpoint, cri: timed(plain, times) };
	for (let life = 0; life < LIVES; life++) {
		await livePod(watched, image);
		await watched.cri.ListContainers();
		await watched.cri.ListPodSandboxStats();
	}
	return new Map([...times.all].map(([name, values]) => [name, summarize(values).p99]));
}
