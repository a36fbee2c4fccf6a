/** Pulls from the registry on loopback, each by an endpoint that has no layer of the image. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Endpoint } from './endpoint.ts';
import { type Bench, inTurn } from './part.ts';
import { pushShapes } from './pull-images.ts';
import { until } from './wait.ts';

const TIMEOUT_MS = 120_000;
const POLL_MS = 100;
/** What an index or a database may grow by; every layer of every shape is larger. */
const SLACK_BYTES = 800_000;
const run = promisify(execFile);

export async function measurePulls({ options, endpoints, registry, samples }: Bench): Promise<void> {
	const [megabytes, files] = options.short ? [30, 1000] : [150, 10_000];
	const [warmUps, rounds] = options.short ? [0, 1] : [1, 5];
	const part = `pull of ${megabytes} MB`;
	for (const { name, reference } of await pushShapes(registry, megabytes, files)) {
		for (let round = -warmUps; round < rounds; round++) {
			for (const endpoint of inTurn(endpoints, round + warmUps)) {
				const { ms, bytes } = await pull(endpoint, reference);
				if (round < 0) continue;
				samples.add({ part, name, unit: 'ms', better: 'less' }, endpoint.name, ms);
				const size = { part, name: `${name}, on disk`, unit: 'MB', better: 'less' } as const;
				samples.add(size, endpoint.name, bytes / 1e6);
			}
		}
	}
}

/** Pulls and removes. What others have written before is on the disk, so that nobody waits for it here. */
async function pull({ cri, imageFolder }: Endpoint, image: string): Promise<{ ms: number; bytes: number }> {
	await run('sync', ['-f', imageFolder]);
	const before = await bytesIn(imageFolder);
	const start = performance.now();
	await cri.PullImage({ image: { image } }, { timeoutMs: TIMEOUT_MS });
	const ms = performance.now() - start;
	const bytes = (await bytesIn(imageFolder)) - before;
	await cri.RemoveImage({ image: { image } });
	const isGone = async (): Promise<boolean> => (await bytesIn(imageFolder)) - before < SLACK_BYTES;
	await until(`the removal of ${image}`, isGone, TIMEOUT_MS, POLL_MS);
	return { ms, bytes };
}

/** `du` fails when files vanish while it looks. */
async function bytesIn(folder: string): Promise<number> {
	const { stdout } = await run('du', ['-sB1', folder]).catch((error: { stdout: string }) => error);
	return Number.parseInt(stdout, 10);
}
