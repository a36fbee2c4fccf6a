/**
 * `npm run chaos -- [--kills N] [--clients N] [--seed N]`: clients make, use and remove pods and images while the
 * daemon, and now and then its launcher, are killed at moments left to chance. After each kill the machine is looked
 * at; what the clients know of must be as they know it. Ends with 1 at the first thing that is not.
 */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect, parseArgs } from 'node:util';
import { startTestDaemon, type TestDaemon } from '../support/daemon.ts';
import { processes } from '../support/machine.ts';
import { type Random, seeded } from '../support/random.ts';
import { busyboxEntries, freePort, type Registry, startRegistry } from '../support/registry.ts';
import { Client } from './client.ts';
import { Gate } from './gate.ts';
import { liveImage } from './image-life.ts';
import { assertNothingStrange } from './look.ts';
import { type KnownPod, livePod } from './pod-life.ts';

const LONGEST_PAUSE_MS = 500;
/** One kill in so many is the launcher's. */
const LAUNCHER_SHARE = 6;
/** After one kill in so many the next daemon is killed while it starts, too. */
const START_SHARE = 4;
const LONGEST_START_MS = 600;

const options = readOptions();
process.stdout.write(`chaos: ${options.kills} kills, ${options.clients} clients, seed ${options.seed}\n`);
try {
	await run();
	process.stdout.write('chaos: nothing was lost and nothing is left\n');
} catch (error) {
	// A clean-up that fails, too, hides the first error in itself.
	for (
		let each = error;
		each !== undefined;
		each = each instanceof SuppressedError ? each.suppressed : undefined
	)
		process.stderr.write(`${inspect(each instanceof SuppressedError ? each.error : each, { depth: 3 })}\n`);
	process.exit(1);
}

interface Options {
	readonly kills: number;
	readonly clients: number;
	readonly seed: number;
}

function readOptions(): Options {
	const text = { type: 'string' } as const;
	const { values } = parseArgs({ options: { kills: text, clients: text, seed: text } });
	const number = (name: keyof typeof values, otherwise: number, least: number): number => {
		const value = Number(values[name] ?? otherwise);
		if (Number.isSafeInteger(value) && value >= least) return value;
		throw new Error(`--${name} ${values[name]} is no whole number of at least ${least}`);
	};
	return {
		kills: number('kills', 50, 1),
		clients: number('clients', 5, 1),
		seed: number('seed', randomInt(2 ** 31), 0),
	};
}

async function run(): Promise<void> {
	await using registry = await startRegistry();
	const image = await registry.pushImage({ name: 'busybox', layers: [{ entries: busyboxEntries() }] });
	await using daemon = await startTestDaemon({ config: 'network.provider = "builtin"\n' });
	await daemon.cri.PullImage({ image: { image: image.reference } });
	const gate = new Gate();
	const known = new Set<KnownPod>();
	const running = new AbortController();
	let kills = 0;
	const newClient = (name: string): Client => new Client(name, daemon, gate, () => kills);
	const lives = [
		...Array.from({ length: options.clients }, async (_, index) => {
			const [random, hostPort] = [seeded(options.seed + index), await freePort()];
			const life = { client: newClient(`client ${index}`), random, image: image.reference, hostPort, known };
			for (let count = 0; !running.signal.aborted; count++) await livePod(life, `pod-${index}-${count}`);
		}),
		imageLives(newClient('image client'), registry, running.signal),
	];
	const killing = (async () => {
		const random = seeded(options.seed);
		while (kills < options.kills) {
			await sleep(random.below(LONGEST_PAUSE_MS));
			kills++;
			await killOne(daemon, gate, random, known, `after kill ${kills} of seed ${options.seed}`);
		}
		running.abort();
	})();
	const everyone = [...lives, killing];
	try {
		await Promise.all(everyone);
	} catch (error) {
		// The first that fails ends it all; who is under way still needs the daemon, and may be starting it.
		kills = options.kills;
		running.abort();
		await Promise.allSettled(everyone);
		throw error;
	}
	await assertNothingStrange(daemon, 'in the end');
}

async function imageLives(client: Client, registry: Registry, until: AbortSignal): Promise<void> {
	const entries = Array.from({ length: 200 }, (_, index) => ({
		name: `files/${index}`,
		data: `${index}`,
		uid: index,
	}));
	const layers = [{ entries }, { entries: [{ name: 'deep/in/a/folder', data: 'x' }] }];
	const { reference } = await registry.pushImage({ name: 'comes-and-goes', layers });
	while (!until.aborted) await liveImage(client, reference);
}

/** Kills the daemon or its launcher, waits until it runs again, and looks while no client does anything. */
async function killOne(
	daemon: TestDaemon,
	gate: Gate,
	random: Random,
	known: ReadonlySet<KnownPod>,
	kill: string,
): Promise<void> {
	const victim = random.below(LAUNCHER_SHARE) === 0 ? 'launcher' : 'daemon';
	const when = `${kill} (the ${victim})`;
	try {
		const quiet = gate.close();
		if (victim === 'launcher') killLauncher(daemon);
		else await killDaemon(daemon, random, quiet);
		await quiet;
		await assertNothingStrange(daemon, when);
		for (const pod of known) await assertAsKnown(daemon, pod, when);
	} finally {
		gate.open();
	}
}

async function killDaemon(daemon: TestDaemon, random: Random, quiet: Promise<void>): Promise<void> {
	await daemon.stop('SIGKILL');
	await quiet;
	if (random.below(START_SHARE) === 0) await killStarting(daemon, random.below(LONGEST_START_MS));
	await daemon.start();
}

/** A daemon that dies while it takes over what the one before it left. */
async function killStarting(daemon: TestDaemon, afterMs: number): Promise<void> {
	const starting = daemon.start().catch(() => {});
	await sleep(afterMs);
	await daemon.stop('SIGKILL');
	await starting;
}

function killLauncher({ process: { child } }: TestDaemon): void {
	const launcher = processes().find(({ parent, words }) => parent === child.pid && words[1] === 'launcher');
	if (launcher !== undefined) process.kill(launcher.pid, 'SIGKILL');
}

async function assertAsKnown({ cri }: TestDaemon, pod: KnownPod, when: string): Promise<void> {
	const { status } = await cri.PodSandboxStatus({ pod_sandbox_id: pod.id });
	assert.deepEqual([status?.state, status?.network?.ip], ['SANDBOX_READY', pod.ip], `pod ${pod.id} ${when}`);
	for (const container_id of pod.running) {
		const container = await cri.ContainerStatus({ container_id });
		assert.equal(container.status?.state, 'CONTAINER_RUNNING', `container ${container_id} ${when}`);
	}
}
