/** The thread that runs the inputs. What it runs at the moment lies in shared memory: whoever waits can tell it. */
import { parentPort } from 'node:worker_threads';
import { messageOf } from '../../src/base/errors.ts';
import { seeded } from '../support/random.ts';
import { mutate } from './mutate.ts';
import { MAX_INPUT_BYTES, runInput, type Target } from './target.ts';
import { TARGETS } from './targets/index.ts';

export interface WorkerTask {
	readonly name: string;
	readonly seed: number;
	/** How many inputs, or until when (as Date.now tells it). */
	readonly inputs: number;
	readonly until: number;
	/** Just this one. */
	readonly input?: Uint8Array;
	/** Two numbers (how many inputs so far, length of the present one), then the present input. */
	readonly present: SharedArrayBuffer;
}
export type WorkerReport =
	| { readonly type: 'done'; readonly inputs: number }
	| { readonly type: 'found'; readonly why: string };

export const PRESENT_BYTES = 8 + MAX_INPUT_BYTES;
/** Seconds of this thread alone, so that a busy machine changes nothing. */
const MAX_CPU_S = 2;
const MAX_POOL = 400;

const cpuSeconds = (): number => {
	const { user, system } = process.threadCpuUsage();
	return (user + system) / 1e6;
};

/** Targets that share a seed still get inputs of their own. */
const seedOf = (name: string, seed: number): number =>
	[...name].reduce((mixed, letter) => Math.imul(mixed ^ letter.charCodeAt(0), 0x01000193), seed);

class Runs {
	readonly #target: Target;
	readonly #head: Int32Array;
	readonly #present: Uint8Array;

	constructor(target: Target, present: SharedArrayBuffer) {
		this.#target = target;
		this.#head = new Int32Array(present, 0, 2);
		this.#present = new Uint8Array(present, 8);
	}

	get done(): number {
		return this.#head[0] ?? 0;
	}

	async run(input: Buffer): Promise<void> {
		this.#present.set(input);
		this.#head[1] = input.length;
		Atomics.add(this.#head, 0, 1);
		const before = cpuSeconds();
		await runInput(this.#target, Buffer.from(input));
		const took = cpuSeconds() - before;
		if (took > MAX_CPU_S) throw new Error(`it takes ${took.toFixed(1)} s for ${input.length} bytes`);
	}

	async all({ name, seed, inputs, until }: WorkerTask): Promise<void> {
		const random = seeded(seedOf(name, seed));
		const seeds = this.#target.seeds.map((one) => Buffer.from(one as string));
		const tokens = (this.#target.tokens ?? []).map((token) => Buffer.from(token));
		const pool: Buffer[] = [...seeds];
		for (const input of seeds) await this.run(input);
		for (let count = 0; count < inputs && Date.now() < until; count++) {
			const input = mutate({ pool: random.oneIn(4) ? pool : seeds, tokens, random });
			await this.run(input);
			// Some stay, to be mutated further.
			if (random.oneIn(16) && input.length < 4096)
				pool[pool.length < MAX_POOL ? pool.length : seeds.length + random.below(MAX_POOL - seeds.length)] =
					input;
		}
	}
}

async function report(task: WorkerTask): Promise<WorkerReport> {
	const target = TARGETS[task.name];
	if (target === undefined) return { type: 'found', why: `there is no target ${task.name}` };
	const runs = new Runs(target, task.present);
	try {
		if (task.input === undefined) await runs.all(task);
		else await runs.run(Buffer.from(task.input));
		return { type: 'done', inputs: runs.done };
	} catch (error) {
		return { type: 'found', why: (error instanceof Error && error.stack) || messageOf(error) };
	}
}

parentPort?.on('message', async (task: WorkerTask) => parentPort?.postMessage(await report(task)));
