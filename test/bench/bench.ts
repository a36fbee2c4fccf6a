/** `npm run bench`: drives CRI endpoints from this process and says how they compare. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { measureCalls } from './calls.ts';
import { Samples } from './figures.ts';
import { measureKernel } from './kernel.ts';
import { measureLogs } from './logs.ts';
import { type BenchOptions, parseOptions, USAGE } from './options.ts';
import { moveToOwnDisk } from './own-disk.ts';
import type { Part } from './part.ts';
import { runParts } from './parts.ts';
import { fetchPeer } from './peer-endpoint.ts';
import { measurePopulation } from './population.ts';
import { isPrivateMachine, runOnPrivateMachine } from './private-machine.ts';
import { measurePulls } from './pulls.ts';
import { describeRun } from './record.ts';
import { report } from './report.ts';
import { type Stage, setStage } from './stage.ts';
import { measureThroughput } from './throughput.ts';

const PEER = 'GANTRY_BENCH_PEER_FOLDER';
const TIMEOUT_MS = 60 * 60_000;
const PARTS: Readonly<Record<string, Part>> = {
	calls: measureCalls,
	kernel: measureKernel,
	lives: measureThroughput,
	pulls: measurePulls,
	population: measurePopulation,
	logs: measureLogs,
};

/** What was measured is told whatever has failed. */
async function bench(options: BenchOptions): Promise<void> {
	const samples = new Samples();
	const stage = await setStage(process.env[PEER]);
	const [told] = await Promise.allSettled([measure(options, stage, samples)]);
	const [removed] = await Promise.allSettled([stage.remove()]);
	if (told.status === 'rejected') throw told.reason;
	const { run, failures } = told.value;
	if (removed.status === 'rejected') failures.push({ part: 'clean-up', error: removed.reason });
	report({ ...run, figures: samples.figures() }, failures);
	if (failures.length > 0) process.exitCode = 1;
}

async function measure(options: BenchOptions, stage: Stage, samples: Samples) {
	const run = await describeRun(options, stage.endpoints);
	return { run, failures: await runParts(PARTS, { ...stage, options, samples }) };
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
if (options !== undefined && isPrivateMachine()) {
	moveToOwnDisk();
	await bench(options);
} else if (options !== undefined) process.exitCode = await startOver(options, args);
