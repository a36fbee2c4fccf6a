/** Log throughput: a container writes lines as fast as it can until it ends. */
import { closeSync, createReadStream, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { busyboxEntries, type Registry } from '../support/registry.ts';
import type { Endpoint } from './endpoint.ts';
import { type Bench, inTurn } from './part.ts';
import { endPod, startPod } from './pod-life.ts';
import { cpuSeconds } from './processes.ts';
import { until } from './wait.ts';

const LINES = { 'short lines (100 B)': 100, 'long lines (10 kB)': 10_000 };
const FILE_BYTES = 8_000_000;
const LAST_LINE = 'that is all';
const TIMEOUT_MS = 120_000;

export async function measureLogs(bench: Bench): Promise<void> {
	const { options, endpoints, registry, samples } = bench;
	const image = await pushLines(registry);
	for (const { cri } of endpoints) await cri.PullImage({ image: { image } });
	const [warmUps, rounds, repeats] = options.short ? [0, 1, 2] : [1, 4, 32];
	const gigabytes = (FILE_BYTES * repeats) / 1e9;
	for (const [name, length] of Object.entries(LINES)) {
		const rate = { part: 'logs', name, unit: 'MB/s', better: 'more' } as const;
		const work = { part: 'logs', name: `daemon CPU, ${name}`, unit: 's/GB', better: 'less' } as const;
		for (let round = -warmUps; round < rounds; round++) {
			for (const endpoint of inTurn(endpoints, round + warmUps)) {
				const { seconds, cpu } = await write(endpoint, image, length, repeats);
				if (round < 0) continue;
				samples.add(rate, endpoint.name, (gigabytes * 1000) / seconds);
				samples.add(work, endpoint.name, cpu / gigabytes);
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

/** From the start of the container until the last line is in the log. The daemon is left alone meanwhile. */
async function write(endpoint: Endpoint, image: string, length: number, repeats: number) {
	const script = `i=0; while [ $i -lt ${repeats} ]; do cat /lines/${length}; i=$((i+1)); done; echo ${LAST_LINE}`;
	let [start, cpuBefore] = [0, 0];
	const living = await startPod(
		endpoint,
		image,
		(name, call) => {
			if (name === 'StartContainer')
				[start, cpuBefore] = [performance.now(), cpuSeconds(endpoint.daemonPid())];
			return call();
		},
		['sh', '-c', script],
	);
	const log = join(living.logFolder, 'main.log');
	await until(`the last line in ${log}`, async () => endOf(log).endsWith(`${LAST_LINE}\n`), TIMEOUT_MS);
	const seconds = (performance.now() - start) / 1000;
	const cpu = cpuSeconds(endpoint.daemonPid()) - cpuBefore;
	const [lines, wanted] = [await countLines(log), (FILE_BYTES / length) * repeats + 1];
	if (lines !== wanted)
		throw new Error(`${endpoint.name}: ${wanted} lines were written, ${lines} are in the log`);
	await endPod(endpoint, living);
	return { seconds, cpu };
}

function endOf(path: string): string {
	const file = openSync(path, 'r');
	try {
		const buffer = Buffer.alloc(LAST_LINE.length + 1);
		const length = readSync(
			file,
			buffer,
			0,
			buffer.length,
			Math.max(0, fstatSync(file).size - buffer.length),
		);
		return buffer.toString('latin1', 0, length);
	} finally {
		closeSync(file);
	}
}

/** A line that was split counts as two. */
async function countLines(path: string): Promise<number> {
	let lines = 0;
	for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>)
		for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) lines++;
	return lines;
}
