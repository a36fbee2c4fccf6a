/** `npm run soak`: many pods for a long time, and whether the daemon ends where it began. */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Endpoint } from '../bench/endpoint.ts';
import { startGantry } from '../bench/gantry-endpoint.ts';
import { endPod, type LivingPod, startPod } from '../bench/pod-life.ts';
import { isPrivateMachine, runOnPrivateMachine } from '../bench/private-machine.ts';
import { pushBusybox } from '../bench/stage.ts';
import { together } from '../bench/together.ts';
import { until } from '../bench/wait.ts';
import { connectCri, type TestCri } from '../support/cri-client.ts';
import { type Random, seeded } from '../support/random.ts';
import { startRegistry } from '../support/registry.ts';
import { CallTimes, timed } from './calls.ts';
import { type Census, countThings, measureMemory, type Place } from './census.ts';
import { churnOnce } from './churn.ts';
import { heapAfterCollection } from './inspector.ts';
import { parseOptions, type SoakOptions, USAGE } from './options.ts';
import { underPressure } from './pressure.ts';
import { callTable, censusTable, whatGrew } from './verdict.ts';

/** How often the churn tells how far it is. */
const TELL_MS = 60_000;
/** Shims and sockets end a moment after the call that ends them. */
const SETTLE_MS = 20_000;

interface Soak {
	readonly options: SoakOptions;
	readonly endpoint: Endpoint<TestCri>;
	readonly image: string;
}

async function soak(options: SoakOptions): Promise<boolean> {
	await using registry = await startRegistry();
	const image = await pushBusybox(registry);
	const plain = await startGantry('builtin');
	try {
		await plain.cri.PullImage({ image: { image } });
		const times = new CallTimes();
		const cri = connectCri(plain.address);
		using _client = cri.client;
		const good = await run({ options, endpoint: { ...plain, cri: timed(cri, times) }, image }, times);
		console.log(`\n${await underPressure(plain, cri, image)}`);
		return good;
	} catch (error) {
		// First of all: what is left afterwards is only its consequence.
		console.error(error);
		return false;
	} finally {
		await plain.remove();
	}
}

async function run(all: Soak, times: CallTimes): Promise<boolean> {
	const place = placeOf(all.endpoint);
	await churn(all, Math.min(all.options.minutes / 10, 1));
	const start = await census(place);
	await populate(all);
	const population = await census(place, start);
	const lives = await churn(all, all.options.minutes);
	const churned = await census(place, start);
	const censuses = { start, population, churn: churned };
	console.log(`${censusTable(censuses)}\n\n${callTable(times.all)}\n\n${lives} pods lived in the churn.`);
	const grown = whatGrew(censuses);
	for (const sentence of grown) console.log(`GREW: ${sentence}`);
	return grown.length === 0;
}

function placeOf(endpoint: Endpoint): Place {
	const instance = endpoint.cgroupParent.slice(1);
	const folder = dirname(endpoint.address.replace('unix://', ''));
	return {
		daemonPid: endpoint.daemonPid(),
		instance,
		folders: [join('/run', instance), join(folder, 'root')],
	};
}

/** Counts when things have settled: as many as `before`, or not to be waited for any longer. */
async function census(place: Place, before?: Census): Promise<Census> {
	const settled = async (): Promise<boolean> => {
		const now = countThings(place);
		return before === undefined || [...now].every(([name, count]) => count <= (before.get(name) ?? 0));
	};
	await until('the daemon settles', settled, SETTLE_MS, 200).catch(() => {});
	return new Map([...countThings(place), ...(await measureMemory(place))]);
}

/** All pods are made, then all are removed, by the clients together. */
async function populate({ options, endpoint, image }: Soak): Promise<void> {
	let left = options.pods;
	const pods: LivingPod[] = [];
	await together(options.clients, async () => {
		while (left-- > 0) pods.push(await startPod(endpoint, image));
	});
	await together(options.clients, async () => {
		for (let pod = pods.pop(); pod !== undefined; pod = pods.pop()) await endPod(endpoint, pod);
	});
}

async function churn({ options, endpoint, image }: Soak, minutes: number): Promise<number> {
	const end = performance.now() + minutes * 60_000;
	let lives = 0;
	const tell = async (): Promise<void> => {
		const heap = await heapAfterCollection(endpoint.daemonPid());
		console.error(`soak: ${lives} pods have lived, heap ${Math.round(heap / 1024)} KiB`);
	};
	using _telling = every(TELL_MS, () => void tell().catch(() => {}));
	await together(options.clients, async (client) => {
		const random: Random = seeded(options.seed + client);
		for (; performance.now() < end; lives++) await churnOnce(endpoint, image, random);
	});
	return lives;
}

function every(milliseconds: number, work: () => void): Disposable {
	const timer = setInterval(work, milliseconds);
	return { [Symbol.dispose]: () => clearInterval(timer) };
}

function optionsOrUsage(args: readonly string[]): SoakOptions | undefined {
	try {
		return parseOptions(args);
	} catch (error) {
		console.error(`soak: ${(error as Error).message}\nusage: ${USAGE}`);
		process.exitCode = 2;
		return undefined;
	}
}

const options = optionsOrUsage(process.argv.slice(2));
if (options !== undefined && isPrivateMachine()) process.exitCode = (await soak(options)) ? 0 : 1;
else if (options !== undefined) {
	const { pods, clients, minutes, seed } = options;
	console.error(`soak: ${pods} pods, ${clients} clients, ${minutes} minutes, --seed ${seed}`);
	const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
	const timeoutMs = (minutes + 30) * 60_000;
	process.exitCode = await runOnPrivateMachine(fileURLToPath(import.meta.url), args, timeoutMs);
}
