/** Whether one call holds up others: a thread asks for the version again and again, and tells the longest wait. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

export class Pinger implements AsyncDisposable {
	readonly #worker: Worker;

	constructor(address: string) {
		this.#worker = new Worker(new URL('pinger-worker.ts', import.meta.url), { workerData: address });
	}

	/** The longest wait in milliseconds for an answer while `work` is done. */
	async longestDuring(work: () => Promise<unknown>): Promise<number> {
		this.#worker.postMessage('start');
		await once(this.#worker, 'message');
		await work();
		this.#worker.postMessage('stop');
		const [longestMs] = (await once(this.#worker, 'message')) as [number];
		return longestMs;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.#worker.terminate();
	}
}
