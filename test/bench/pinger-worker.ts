/** The thread of pinger.ts. It answers `start` when its first call is answered, and `stop` with the longest wait. */
import { parentPort, workerData } from 'node:worker_threads';
import { connectLean } from './lean-client.ts';

const cri = connectLean(workerData as string);
let goesOn = false;

parentPort?.on('message', (message: 'start' | 'stop') => {
	goesOn = message === 'start';
	if (goesOn) void ping();
});

async function ping(): Promise<void> {
	await cri.Version();
	parentPort?.postMessage('started');
	let longestMs = 0;
	while (goesOn) {
		const start = performance.now();
		await cri.Version();
		longestMs = Math.max(longestMs, performance.now() - start);
	}
	parentPort?.postMessage(longestMs);
}
