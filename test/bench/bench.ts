/** `npm run bench`: drives CRI endpoints from this process and says how they compare. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { measureCalls } from './calls.ts';
import { Samples } from './figures.ts';
import { measureLogs } from './logs.ts';
import { type BenchOptions, parseOptions, USAGE } from './options.ts';
import type { Part } from './part.ts';
import { fetchPeer } from './peer-endpoint.ts';
import { measurePopulation } from './population.ts';
import { isPrivateMachine, runOnPrivateMachine } from './private-machine.ts';
import { measurePulls } from './pulls.ts';
import { type BenchRecord, describeRun } from './record.ts';
import { report } from './report.ts';
import { setStage } from './stage.ts';
import { measureThroughput } from './throughput.ts';

const PEER = 'GANTRY_BENCH_PEER_FOLDER';
const TIMEOUT_MS = 60 * 60_000;
const PARTS: Readonly<Record<string, Part>> = {
	calls: measureCalls,
	lives: measureThroughput,
	pulls: measurePulls,
	population: measurePopulation,
	logs: measureLogs,
};

async function bench(options: BenchOptions): Promise<BenchRecord> {
	const samples = new Samples();
	const stage = await setStage(process.env[PEER]);
	try {
		const run = await describeRun(options, stage.endpoints);
		for (const [name, part] of Object.entries(PARTS)) {
			if (options.parts.length > 0 && !options.parts.includes(name)) continue;
			console.error(`bench: ${name} …`);
			await part({ ...stage, options, samples });
		}
		return { ...run, figures: samples.figures() };
	} finally {
		await stage.remove();
	}
}

function optionsOrUsage(args: readonly string[]): BenchOptions | undefined {
	try {
		return parseOptions(args, Object.keys(PARTS));
	} catch (error) {
		console.error(`bench: ${(error as Error).message}\nusage: ${USAGE}`);
		process.exitCode = 2;
		return undefined;
	}
}

/** Runs this file again on a private machine, with the peer when it is wanted. */
function startOver(options: BenchOptions, args: readonly string[]): Promise<number> {
	return runOnPrivateMachine(
		fileURLToPath(import.meta.url),
		args,
		TIMEOUT_MS,
		(folder): Record<string, string> => {
			if (!options.peer) return {};
			const peer = join(folder, 'peer');
			fetchPeer(peer);
			return { [PEER]: peer };
		},
	);
}

const args = process.argv.slice(2);
const options = optionsOrUsage(args);
if (options !== undefined && isPrivateMachine()) report(await bench(options));
else if (options !== undefined) process.exitCode = await startOver(options, args);
