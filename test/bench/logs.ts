/** Log throughput: a container writes lines as fast as it can until it ends. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { busyboxEntries, type Registry } from '../support/registry.ts';
import type { Endpoint } from './endpoint.ts';
import { type Bench, inTurn } from './part.ts';
import { endPod, startPod } from './pod-life.ts';
import { cpuSeconds } from './processes.ts';
import { until } from './wait.ts';

const LINES = { 'short lines (100 B)': 100, 'long lines (10 kB)': 10_000 };
const FILE_BYTES = 8_000_000;
const TIMEOUT_MS = 120_000;

export async function measureLogs(bench: Bench): Promise<void> {
	const { options, endpoints, registry, samples } = bench;
	const image = await pushLines(registry);
	for (const { cri } of endpoints) await cri.PullImage({ image: { image } });
	const [warmUps, rounds, repeats] = options.short ? [0, 1, 2] : [1, 4, 32];
	for (const [name, length] of Object.entries(LINES)) {
		for (let round = -warmUps; round < rounds; round++) {
			for (const endpoint of inTurn(endpoints, round + warmUps)) {
				const { seconds, cpu } = await write(endpoint, image, length, repeats);
				if (round < 0) continue;
				const bytes = FILE_BYTES * repeats;
				samples.add(
					{ part: 'logs', name, unit: 'MB/s', better: 'more' },
					endpoint.name,
					bytes / 1e6 / seconds,
				);
				samples.add(
					{ part: 'logs', name: `daemon CPU, ${name}`, unit: 's/GB', better: 'less' },
					endpoint.name,
					cpu / (bytes / 1e9),
				);
			}
		}
	}
}

async function pushLines(registry: Registry): Promise<string> {
	const files = Object.values(LINES).map((length) => {
		const line = `${'x'.repeat(length - 1)}\n`;
		return { name: `lines/${length}`, data: line.repeat(FILE_BYTES / length) };
	});
	const layers = [{ entries: busyboxEntries() }, { entries: files }];
	return (await registry.pushImage({ name: 'bench/lines', layers, config: { Env: ['PATH=/bin'] } }))
		.reference;
}

/** From the start of the container until it has ended and every byte is in the log. */
async function write(endpoint: Endpoint, image: string, length: number, repeats: number) {
	const { cri } = endpoint;
	const script = `i=0; while [ $i -lt ${repeats} ]; do cat /lines/${length}; i=$((i+1)); done`;
	const cpuBefore = cpuSeconds(endpoint.daemonPid());
	let start = 0;
	const living = await startPod(
		endpoint,
		image,
		(name, call) => {
			if (name === 'StartContainer') start = performance.now();
			return call();
		},
		['sh', '-c', script],
	);
	const log = join(living.logFolder, 'main.log');
	const hasAll = async (): Promise<boolean> =>
		statSync(log).size >= FILE_BYTES * repeats && (await hasEnded());
	const hasEnded = async (): Promise<boolean> => {
		const { status } = await cri.ContainerStatus({ container_id: living.container });
		return status?.state === 'CONTAINER_EXITED';
	};
	await until(`${repeats} × ${FILE_BYTES} bytes in ${log}`, hasAll, TIMEOUT_MS);
	const seconds = (performance.now() - start) / 1000;
	const cpu = cpuSeconds(endpoint.daemonPid()) - cpuBefore;
	await endPod(endpoint, living);
	return { seconds, cpu };
}
