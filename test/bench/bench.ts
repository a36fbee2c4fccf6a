/** `npm run bench`: drives CRI endpoints from this process and says how they compare. */
import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { measureCalls } from './calls.ts';
import { Samples } from './figures.ts';
import { measureLogs } from './logs.ts';
import { type BenchOptions, parseOptions, USAGE } from './options.ts';
import type { Part } from './part.ts';
import { fetchPeer } from './peer-endpoint.ts';
import { measurePopulation } from './population.ts';
import { isPrivateMachine, runOnPrivateMachine } from './private-machine.ts';
import { setStage } from './stage.ts';
import { drawTable } from './table.ts';
import { measureThroughput } from './throughput.ts';

const PEER = 'GANTRY_BENCH_PEER_FOLDER';
const TIMEOUT_MS = 45 * 60_000;
const PARTS: Readonly<Record<string, Part>> = {
	calls: measureCalls,
	lives: measureThroughput,
	population: measurePopulation,
	logs: measureLogs,
};

async function bench(options: BenchOptions): Promise<void> {
	const samples = new Samples();
	const stage = await setStage(process.env[PEER]);
	try {
		for (const [name, part] of Object.entries(PARTS)) {
			if (options.parts.length > 0 && !options.parts.includes(name)) continue;
			console.error(`bench: ${name} …`);
			await part({ ...stage, options, samples });
		}
	} finally {
		await stage.remove();
	}
	const figures = samples.figures();
	const names = stage.endpoints.map((endpoint) => endpoint.name);
	const peer = names.find((name) => name === 'containerd');
	const table = drawTable(figures, names, peer);
	if (options.json) console.error(table);
	console.log(options.json ? JSON.stringify({ options, figures }, undefined, '\t') : table);
}

function optionsOrUsage(args: readonly string[]): BenchOptions | undefined {
	try {
		return parseOptions(args);
	} catch (error) {
		console.error(`bench: ${(error as Error).message}\nusage: ${USAGE}`);
		process.exitCode = 2;
		return undefined;
	}
}

/** Fetches the peer, runs this file again on a private machine, and removes what it may have left. */
function startOver(options: BenchOptions, args: readonly string[]): number {
	const peer = options.peer ? fetchPeer() : undefined;
	try {
		const environment = peer === undefined ? {} : { [PEER]: peer };
		return runOnPrivateMachine(fileURLToPath(import.meta.url), args, environment, TIMEOUT_MS);
	} finally {
		if (peer !== undefined) rmSync(peer, { recursive: true, force: true });
	}
}

const args = process.argv.slice(2);
const options = optionsOrUsage(args);
if (options !== undefined && isPrivateMachine()) await bench(options);
else if (options !== undefined) process.exitCode = startOver(options, args);
