import { Worker } from 'node:worker_threads';
import { internal, resourceExhausted } from '#base/errors.ts';
import {
	type FromWorker,
	fromPlain,
	type Job,
	type JobResult,
	type ToWorker,
	toPlain,
	type WorkerOptions,
} from './messages.ts';
import type { ApplyOps } from './op-batch.ts';

export interface JobHooks {
	readonly signal: AbortSignal;
	readonly apply?: ApplyOps;
	readonly onProgress?: (doneBytes: number) => void;
}

interface RunningJob extends JobHooks {
	readonly settled: PromiseWithResolvers<unknown>;
}

/** An idle thread costs about 15 MB; a new one is ready in less than 100 ms. */
const IDLE_MS = 30_000;
/** A layer of a million entries fits well; one that needs more takes its thread down, not the daemon. */
const MAX_HEAP_MB = 768;

/** Worker threads that are started when needed, reused, and ended when idle. A job goes to the least busy one. */
export class WorkerPool implements AsyncDisposable {
	readonly #size: number;
	readonly #options: WorkerOptions;
	readonly #threads = new Set<Thread>();

	constructor(size: number, options: WorkerOptions) {
		this.#size = size;
		this.#options = options;
	}

	/** Settles when the worker is done with the job, also after an abort: its files are nobody's any more. */
	async run<J extends Job>(job: J, hooks: JobHooks): Promise<JobResult<J>> {
		hooks.signal.throwIfAborted();
		return (await this.#thread().run(job, hooks)) as JobResult<J>;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await Promise.all([...this.#threads].map((thread) => thread.end()));
	}

	#thread(): Thread {
		const [idlest] = [...this.#threads].sort((a, b) => a.load - b.load);
		if (idlest !== undefined && (idlest.load === 0 || this.#threads.size >= this.#size)) return idlest;
		const thread = new Thread(this.#options, () => this.#threads.delete(thread));
		this.#threads.add(thread);
		return thread;
	}
}

class Thread {
	readonly #worker: Worker;
	readonly #jobs = new Map<number, RunningJob>();
	readonly #onEnd: () => void;
	#lastId = 0;
	#idle: NodeJS.Timeout | undefined;

	constructor(options: WorkerOptions, onEnd: () => void) {
		this.#onEnd = onEnd;
		this.#worker = new Worker(new URL('./worker.ts', import.meta.url), {
			name: 'gantry-images',
			workerData: options,
			resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MB },
		});
		this.#worker.on('message', (message: FromWorker) => this.#hear(message));
		this.#worker.on('error', (error) => this.#failAll(error));
		this.#worker.on('exit', () => {
			onEnd();
			clearTimeout(this.#idle);
			this.#failAll(new Error('the thread has ended'));
		});
	}

	get load(): number {
		return this.#jobs.size;
	}

	async run(job: Job, hooks: JobHooks): Promise<unknown> {
		const id = ++this.#lastId;
		const settled = Promise.withResolvers<unknown>();
		const abort = () => this.#send({ type: 'abort', id });
		clearTimeout(this.#idle);
		this.#jobs.set(id, { ...hooks, settled });
		this.#worker.ref();
		this.#send({ type: 'start', id, job });
		hooks.signal.addEventListener('abort', abort, { once: true });
		try {
			return await settled.promise;
		} catch (error) {
			hooks.signal.throwIfAborted();
			throw error;
		} finally {
			hooks.signal.removeEventListener('abort', abort);
			this.#jobs.delete(id);
			if (this.#jobs.size === 0) this.#rest();
		}
	}

	async end(): Promise<void> {
		this.#onEnd();
		await this.#worker.terminate();
	}

	#rest(): void {
		this.#worker.unref();
		this.#idle = setTimeout(() => void this.end(), IDLE_MS).unref();
	}

	#send(message: ToWorker): void {
		this.#worker.postMessage(message);
	}

	#hear(message: FromWorker): void {
		const job = this.#jobs.get(message.id);
		if (message.type === 'apply') void this.#apply(message.id, message.ops, job);
		else if (message.type === 'progress') job?.onProgress?.(message.doneBytes);
		else if (message.type === 'done') job?.settled.resolve(message.result);
		else job?.settled.reject(fromPlain(message.error));
	}

	async #apply(id: number, ops: Parameters<ApplyOps>[0], job: RunningJob | undefined): Promise<void> {
		try {
			await job?.apply?.(ops);
			this.#send({ type: 'applied', id });
		} catch (error) {
			this.#send({ type: 'applied', id, error: toPlain(error) });
		}
	}

	#failAll(error: unknown): void {
		const outOfMemory =
			error instanceof Error && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY';
		const why = outOfMemory
			? resourceExhausted('The image worker ran out of memory: the layer has too many entries', {
					cause: error,
				})
			: internal('The image worker failed', { cause: error });
		for (const job of this.#jobs.values()) job.settled.reject(why);
	}
}
