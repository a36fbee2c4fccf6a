import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { PRESENT_BYTES, type WorkerReport, type WorkerTask } from './worker.ts';

export interface FuzzOptions {
	readonly name: string;
	readonly seed: number;
	/** Both bound a run: whichever is reached first. */
	readonly inputs?: number;
	readonly seconds?: number;
	/** Runs this input alone. */
	readonly input?: Uint8Array;
}

/** What an input did that it must not do. */
export interface Finding {
	readonly why: string;
	readonly input: Buffer;
}

const MAX_HEAP_MB = 512;
/** An input that runs this long in wall time does not end: the busiest machine gives a thread its 2 s of CPU by then. */
const HANG_MS = 60_000;

/**
 * One thread that fuzzes target after target. It may be taken down by an input (out of memory, an endless loop):
 * then that input is the finding, and a new thread goes on.
 */
export class Fuzzer implements AsyncDisposable {
	#worker: Worker | undefined;

	/** Inputs that were run, and the first finding if there is one. */
	async run(options: FuzzOptions): Promise<{ readonly inputs: number; readonly finding?: Finding }> {
		const present = new SharedArrayBuffer(PRESENT_BYTES);
		const head = new Int32Array(present, 0, 2);
		const { name, seed, input, inputs = Number.MAX_SAFE_INTEGER, seconds = 24 * 3600 } = options;
		const until = Date.now() + seconds * 1000;
		const report = await this.#report({
			...{ name, seed, inputs, until, present },
			...(input === undefined ? {} : { input }),
		});
		if (report.type === 'done') return { inputs: report.inputs };
		const bytes = Buffer.from(new Uint8Array(present, 8, head[1])).subarray();
		return { inputs: head[0] ?? 0, finding: { why: report.why, input: Buffer.from(bytes) } };
	}

	async #report(task: WorkerTask): Promise<WorkerReport> {
		this.#worker ??= newWorker();
		const worker = this.#worker;
		const settled = new AbortController();
		const { signal } = settled;
		const hung = watchForHang(task.present, signal);
		worker.postMessage(task);
		try {
			return await Promise.race([
				once(worker, 'message', { signal }).then(([report]) => report as WorkerReport),
				hung,
			]);
		} catch (error) {
			await this[Symbol.asyncDispose]();
			return { type: 'found', why: `${error instanceof Error ? (error.stack ?? error.message) : error}` };
		} finally {
			settled.abort();
		}
	}

	async [Symbol.asyncDispose](): Promise<void> {
		const worker = this.#worker;
		this.#worker = undefined;
		await worker?.terminate();
	}
}

function newWorker(): Worker {
	const worker = new Worker(new URL('./worker.ts', import.meta.url), {
		name: 'fuzz',
		resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MB },
	});
	worker.setMaxListeners(0);
	return worker;
}

/** Rejects when the thread is at the same input for too long. */
function watchForHang(present: SharedArrayBuffer, signal: AbortSignal): Promise<never> {
	const head = new Int32Array(present, 0, 1);
	return new Promise((_, reject) => {
		let seen = -1;
		const timer = setInterval(() => {
			const now = Atomics.load(head, 0);
			if (now === seen) reject(new Error(`it does not end within ${HANG_MS / 1000} s`));
			seen = now;
		}, HANG_MS);
		signal.addEventListener('abort', () => clearInterval(timer));
	});
}
