import { Counter, Histogram, type Registry } from 'prom-client';
import type { ImageMetrics } from '#images';
import { PULL_SECONDS } from './buckets.ts';

/** For the image store. */
export function createImageMetrics(registers: Registry[]): Required<ImageMetrics> {
	const counter = (name: string, help: string) => new Counter({ name, help, registers });
	const pulls = new Counter({
		name: 'gantry_image_pulls_total',
		help: 'Image pulls that have ended, by result. Calls that share a pull count once.',
		labelNames: ['result'],
		registers,
	});
	for (const result of ['ok', 'error']) pulls.inc({ result }, 0);
	const bytes = counter('gantry_image_pull_bytes_total', 'Bytes of image pulls that succeeded.');
	const layers = counter('gantry_image_layers_reused_total', 'Layers of pulls that were here already.');
	const reused = counter(
		'gantry_image_layer_reused_bytes_total',
		'Bytes of layers of pulls that were here already.',
	);
	const seconds = new Histogram({
		name: 'gantry_image_pull_duration_seconds',
		help: 'How long image pulls took.',
		buckets: PULL_SECONDS,
		registers,
	});
	return {
		pulled({ ok, bytes: count, elapsedMs }) {
			pulls.inc({ result: ok ? 'ok' : 'error' });
			if (ok) bytes.inc(count);
			seconds.observe(elapsedMs / 1000);
		},
		layerReused(count) {
			layers.inc();
			reused.inc(count);
		},
	};
}
