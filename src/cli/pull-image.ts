import { setTimeout as sleep } from 'node:timers/promises';
import type { AuthConfigInit } from '#cri-api';
import type { Cli } from './cli.ts';
import { bytes, duration } from './output/format.ts';
import { bar, createProgress, type Progress } from './output/progress.ts';

export interface PulledImage {
	readonly image: string;
	/** What CreateContainer takes as its image. */
	readonly ref: string;
	readonly sizeBytes: number;
	readonly elapsedUs: number;
}

/** One pull under way, as the daemon tells it in Status (verbose, `pulls`). */
interface PullUnderWay {
	readonly image: string;
	readonly doneBytes: number;
	readonly totalBytes: number;
	readonly layers?: number;
	readonly doneLayers?: number;
}

/** A pull may take as long as bytes come; the daemon itself gives up a stalled one. */
const PULL_TIMEOUT_MS = 60 * 60 * 1000;
const POLL_MS = 100;

/** Pulls an image, with a bar on a terminal and one line at the end. */
export async function pullImage(cli: Cli, image: string, auth?: AuthConfigInit): Promise<PulledImage> {
	const started = performance.now();
	const timeoutMs = cli.options.timeout === undefined ? PULL_TIMEOUT_MS : cli.options.timeout * 1000;
	const call = cli.call('PullImage', { image: { image }, auth: auth ?? null }, { timeoutMs });
	const finished = new AbortController();
	const drawing = draw(cli, image, finished.signal);
	try {
		const { image_ref } = await call;
		const status = await cli.call('ImageStatus', { image: { image: image_ref } });
		return {
			image,
			ref: image_ref,
			sizeBytes: Number(status.image?.size ?? 0),
			elapsedUs: (performance.now() - started) * 1000,
		};
	} finally {
		finished.abort();
		await drawing;
	}
}

/** `pulled busybox: 2.1 MiB in 240 ms`. */
export function pulledLine(pulled: PulledImage): string {
	return `pulled ${pulled.image}: ${bytes(pulled.sizeBytes)} in ${duration(pulled.elapsedUs)}\n`;
}

/** The CRI has no progress, so the daemon is asked while the pull runs. */
async function draw(cli: Cli, image: string, finished: AbortSignal): Promise<void> {
	if (cli.io.columns === undefined || cli.options.json) return;
	using progress = createProgress(cli.io);
	progress.show(`pulling ${image}`);
	while (!finished.aborted) {
		await sleep(POLL_MS, undefined, { signal: finished }).catch(() => undefined);
		if (!finished.aborted) await drawOnce(cli, image, progress);
	}
}

async function drawOnce(cli: Cli, image: string, progress: Progress): Promise<void> {
	const { info } = await cli
		.call('Status', { verbose: true })
		.catch(() => ({ info: {} as Record<string, string> }));
	const pull = pullsOf(info.pulls).find(
		(one) => one.image === image || one.image.endsWith(`/${image}`) || one.image.startsWith(`${image}:`),
	);
	if (pull !== undefined) progress.show(progressLine(image, pull));
}

/** What the bar's line says. */
export function progressLine(image: string, pull: PullUnderWay): string {
	const layers = !pull.layers ? '' : `  layer ${pull.doneLayers ?? 0} of ${pull.layers}`;
	return `pulling ${image}  ${bar(pull.doneBytes, pull.totalBytes)}${layers}`;
}

function pullsOf(text: string | undefined): readonly PullUnderWay[] {
	try {
		return JSON.parse(text ?? '[]') as PullUnderWay[];
	} catch {
		return [];
	}
}
