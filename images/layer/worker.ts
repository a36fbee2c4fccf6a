/**
 * A worker thread of the image room: everything that touches bytes of a registry happens here, so that the main
 * thread's event loop sees only small messages.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { ContentStore } from '../content/content-store.ts';
import { RegistryApi } from '../registry/api.ts';
import { HttpClient } from '../registry/http.ts';
import { resolveImage } from '../registry/resolve.ts';
import { TokenCache } from '../registry/tokens.ts';
import type { FileOp } from '../types.ts';
import { runLayerJob } from './layer-job.ts';
import {
	type FromWorker,
	fromPlain,
	type Job,
	type ToWorker,
	toPlain,
	type WorkerOptions,
} from './messages.ts';

/** Bytes between two words about progress. */
const PROGRESS_STEP = 512 * 1024;

interface RunningJob {
	readonly abort: AbortController;
	applied: PromiseWithResolvers<void>;
}

const { stallTimeoutMs, contentRoot } = workerData as WorkerOptions;
const http = new HttpClient(stallTimeoutMs);
const api = new RegistryApi(http, new TokenCache(http));
const content = new ContentStore(contentRoot);
const running = new Map<number, RunningJob>();

const send = (message: FromWorker): void => parentPort?.postMessage(message);

parentPort?.on('message', (message: ToWorker) => {
	switch (message.type) {
		case 'start':
			void start(message.id, message.job);
			break;
		case 'abort':
			running.get(message.id)?.abort.abort();
			break;
		case 'applied': {
			const applied = running.get(message.id)?.applied;
			if (message.error === undefined) applied?.resolve();
			else applied?.reject(fromPlain(message.error));
		}
	}
});

async function start(id: number, job: Job): Promise<void> {
	const state: RunningJob = { abort: new AbortController(), applied: Promise.withResolvers<void>() };
	running.set(id, state);
	try {
		send({ type: 'done', id, result: await run(id, job, state) });
	} catch (error) {
		send({ type: 'failed', id, error: toPlain(error) });
	} finally {
		running.delete(id);
	}
}

function run(id: number, job: Job, state: RunningJob) {
	const { signal } = state.abort;
	if (job.kind === 'resolve') {
		const { reference, platform, sources, retryDelayMs } = job;
		return resolveImage(api, {
			reference,
			platform,
			sources,
			retryDelayMs,
			signal,
			stored: (digest) => content.read(digest),
		});
	}
	const apply = async (ops: readonly FileOp[]) => {
		state.applied = Promise.withResolvers<void>();
		send({ type: 'apply', id, ops });
		await state.applied.promise;
	};
	let told = 0;
	const onProgress = (doneBytes: number) => {
		if (doneBytes - told < PROGRESS_STEP && doneBytes < job.size) return;
		told = doneBytes;
		send({ type: 'progress', id, doneBytes });
	};
	return runLayerJob(job, { api, apply, onProgress, signal });
}
